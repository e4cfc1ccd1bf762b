package record

import "encoding/binary"

// A message holds the records of many calls. Most calls change one entry, and their effects may be seen in any order.
// The effects of a call that changes several entries, such as a commit, must be seen together; a reader that divides a
// message needs to know these calls.

// AppendTogether appends a Together record.
func AppendTogether(dst []byte, changes uint64) []byte {
	return binary.AppendUvarint(append(dst, byte(Together)), changes)
}

// Changed returns the entry that r puts, changes, defers or removes, or 0. Renewals and ends of leases do not count: no
// reader relies on seeing these together with other changes.
func (r *Record) Changed() uint64 {
	switch r.Op {
	case Put, PutLater, Change, Defer:
		return r.ID
	case Remove:
		if r.Reason != Expired {
			return r.ID
		}
	case Take, TakeMore:
		return r.Entry
	}
	return 0
}

// Changes counts what the records of one call change: those for which Changed is not 0.
type Changes struct {
	n       uint64
	first   uint64 // entry
	several bool   // not all changes are of the first entry
}

// Add counts a change of an entry.
func (c *Changes) Add(entry uint64) {
	if c.n++; c.n == 1 {
		c.first = entry
	}
	c.several = c.several || entry != c.first
}

// Mark appends a Together record to the records of the call if they change more than one entry. Then it counts anew.
func (c *Changes) Mark(records []byte) []byte {
	if c.several {
		records = AppendTogether(records, c.n)
	}
	*c = Changes{}
	return records
}
