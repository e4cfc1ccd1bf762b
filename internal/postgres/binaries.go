package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
)

// ErrNoServer is returned if there is no server and none can be installed. Its text says what to do.
var ErrNoServer = errors.New("postgres: no PostgreSQL server found: install one " +
	"(Debian, Ubuntu: apt-get install postgresql; Fedora: dnf install postgresql-server; " +
	"macOS: brew install postgresql) or name one with $" + EnvDSN)

// programs are the two programs that a cluster needs.
type programs struct{ initdb, postgres string }

// findOrInstall returns the server programs, after installing them if necessary and possible.
func findOrInstall(ctx context.Context, out io.Writer) (programs, error) {
	if p, ok := find(os.Getenv("PATH"), "/usr/lib/postgresql"); ok {
		return p, nil
	}
	apt, err := exec.LookPath("apt-get")
	if err != nil || os.Geteuid() != 0 {
		return programs{}, ErrNoServer
	}
	fmt.Fprintln(out, "postgres: no PostgreSQL server found: installing the package postgresql")
	for _, args := range [][]string{{"update"}, {"install", "-y", "--no-install-recommends", "postgresql"}} {
		cmd := exec.CommandContext(ctx, apt, args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		cmd.Stdout, cmd.Stderr = out, out
		if err := cmd.Run(); err != nil {
			return programs{}, fmt.Errorf("%w (apt-get %s: %w)", ErrNoServer, args[0], err)
		}
	}
	if p, ok := find(os.Getenv("PATH"), "/usr/lib/postgresql"); ok {
		return p, nil
	}
	return programs{}, ErrNoServer
}

// find looks for both programs in the folders of path and then, newest first, in the versions below debian. Debian
// keeps them out of PATH because several versions may be installed.
func find(path, debian string) (programs, bool) {
	for _, dir := range append(filepath.SplitList(path), newestFirst(debian)...) {
		p := programs{initdb: filepath.Join(dir, "initdb"), postgres: filepath.Join(dir, "postgres")}
		if executable(p.initdb) && executable(p.postgres) {
			return p, true
		}
	}
	return programs{}, false
}

// newestFirst returns the bin folders of the versions below dir, the highest version first.
func newestFirst(dir string) []string {
	var versions []int
	entries, _ := os.ReadDir(dir) // no such folder: no versions
	for _, e := range entries {
		if v, err := strconv.Atoi(e.Name()); err == nil {
			versions = append(versions, v)
		}
	}
	slices.Sort(versions)
	var bins []string
	for _, v := range slices.Backward(versions) {
		bins = append(bins, filepath.Join(dir, strconv.Itoa(v), "bin"))
	}
	return bins
}

func executable(file string) bool {
	info, err := os.Stat(file)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}
