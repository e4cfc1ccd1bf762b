package writeback

import (
	"errors"
	"fmt"
	"strings"
)

// Mode says what becomes of the entries of a kind in the database.
type Mode uint8

const (
	Mirror Mode = iota // the table equals the space
	Append             // the table is an archive: rows stay, with the time and the way their entries left
	None               // there is no table: entries of the kind never touch the database
)

var modeNames = [...]string{Mirror: "mirror", Append: "append", None: "none"}

// String returns the name that ParseMode reads.
func (m Mode) String() string {
	if int(m) < len(modeNames) {
		return modeNames[m]
	}
	return fmt.Sprintf("mode %d", uint8(m))
}

// ParseMode returns the mode of a name, or an error that lists the names there are.
func ParseMode(name string) (Mode, error) {
	for m, n := range modeNames {
		if n == name {
			return Mode(m), nil
		}
	}
	return 0, fmt.Errorf("no mode %q; there are %s", name, strings.Join(modeNames[:], ", "))
}

// Modes says which kinds have which mode; those that it does not name have Mirror. A key is a kind, or "*" for all that
// have no key of their own, either with or without a space and "/" before it. Of several keys that fit, one that names
// the kind counts more, then one that names the space.
type Modes map[string]Mode

// ParseModes reads a list like "audit=append, orders/draft=none, *=mirror". It returns an error that names the part
// that is wrong.
func ParseModes(list string) (Modes, error) {
	modes := make(Modes)
	for part := range strings.SplitSeq(list, ",") {
		part = strings.TrimSpace(part)
		at := strings.LastIndexByte(part, '=') // a kind may have one in its name
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

// kindModes are the modes of the kinds of one space, by number. What is not there has Mirror.
type kindModes struct {
	choose  func(kind uint32, name string) Mode
	byKind  map[uint32]Mode
	dropped map[uint32]bool // kinds that were dropped: what the log still has of them is of no use
	append  bool            // some kind has Append
}

func (m *kindModes) of(kind uint32) Mode { return m.byKind[kind] }

// learn takes note of a kind's name.
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
