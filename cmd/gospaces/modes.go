package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gospaces/gospaces/writeback"
)

// modes is a flag value: how kinds are mirrored. The flag may be given several times; later parts override earlier
// ones.
type modes writeback.Modes

func (m modes) String() string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, fmt.Sprint(key, "=", m[key]))
	}
	return strings.Join(parts, ",")
}

func (m modes) Set(list string) error {
	parsed, err := writeback.ParseModes(list)
	maps.Copy(m, modes(parsed))
	return err
}

func (modes) Type() string { return "kind=mode" }
