package writeback

import (
	"errors"
	"fmt"
	"strings"
)

// Mode selects how the entries of a kind are kept in the database.
type Mode uint8

const (
	Mirror Mode = iota // the table equals the space
	Append             // the table is an archive: rows stay, with the time and the reason of their entries' departures
	None               // there is no table: entries of the kind never reach the database
)

var modeNames = [...]string{Mirror: "mirror", Append: "append", None: "none"}

// String returns the name that ParseMode reads.
func (m Mode) String() string {
	if int(m) < len(modeNames) {
		return modeNames[m]
	}
	return fmt.Sprintf("mode %d", uint8(m))
}

// ParseMode returns the named mode, or an error that lists the valid names.
func ParseMode(name string) (Mode, error) {
	for m, n := range modeNames {
		if n == name {
			return Mode(m), nil
		}
	}
	return 0, fmt.Errorf("no mode %q; there are %s", name, strings.Join(modeNames[:], ", "))
}

// Modes assigns modes to kinds; other kinds have Mirror. A key is a kind, or "*" for all kinds without their own key,
// either with or without a space and "/" in front. If several keys match, a key that names the kind takes precedence,
// then one that names the space.
type Modes map[string]Mode

// ParseModes parses a list like "audit=append, orders/draft=none, *=mirror". Its error names the part that is wrong.
func ParseModes(list string) (Modes, error) {
	modes := make(Modes)
	for part := range strings.SplitSeq(list, ",") {
		part = strings.TrimSpace(part)
		at := strings.LastIndexByte(part, '=') // the name of a kind may contain one
		if at <= 0 {
			return nil, fmt.Errorf("%q is not of the form kind=mode", part)
		}
		mode, err := ParseMode(strings.TrimSpace(part[at+1:]))
		if err != nil {
			return nil, fmt.Errorf("%q: %w", part, err)
		}
		modes[strings.TrimSpace(part[:at])] = mode
	}
	return modes, nil
}

// of returns the mode of a kind of a space.
func (m Modes) of(space, kind string) Mode {
	for _, key := range []string{space + "/" + kind, kind, space + "/*", "*"} {
		if mode, ok := m[key]; ok {
			return mode
		}
	}
	return Mirror
}

func (m Modes) check() error {
	var errs []error
	for key, mode := range m {
		if key == "" || int(mode) >= len(modeNames) {
			errs = append(errs, fmt.Errorf("writeback: Modes: %q: %v", key, mode))
		}
	}
	return errors.Join(errs...)
}

// kindModes are the modes of the kinds of one space, by number. Kinds not listed have Mirror.
type kindModes struct {
	choose  func(kind uint32, name string) Mode
	byKind  map[uint32]Mode
	dropped map[uint32]bool // dropped kinds, whose remaining records in the log are ignored
	append  bool            // some kind has Append
}

func (m *kindModes) of(kind uint32) Mode { return m.byKind[kind] }

// learn records a kind's name.
func (m *kindModes) learn(kind uint32, name string) { m.set(kind, m.choose(kind, name)) }

func (m *kindModes) set(kind uint32, mode Mode) {
	if m.dropped[kind] {
		mode = None
	}
	if mode != Mirror {
		m.byKind[kind] = mode
	}
	m.append = m.append || mode == Append
}
