package main

import (
	"cmp"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/gospaces/gospaces/internal/wire"
)

// version is the version of a build that the linker is told: go build -ldflags "-X main.version=v1.2.3".
var version string

// build is what `gospaces version` prints.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"` // of the sources, if the build recorded it
	Protocol int    `json:"protocol"`           // between client and server
	Go       string `json:"go"`
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program",
		Args:  noOperands,
		RunE:  func(*cobra.Command, []string) error { return a.printJSON(thisBuild()) },
	}
}

func thisBuild() build {
	b := build{Version: "(devel)", Protocol: wire.Version, Go: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	b.Version = cmp.Or(version, info.Main.Version)
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			b.Revision = s.Value
		}
	}
	return b
}
