package record

import "encoding/binary"

// A message holds the records of many calls. Most calls change one entry, and their effects may be seen in any order.
// The effects of a call that changes several entries, such as a commit, must be seen together; a reader that divides a
// message needs to know these calls.

// AppendTogether appends a Together record.
func AppendTogether(dst []byte, count uint64) []byte {
	return binary.AppendUvarint(append(dst, byte(Together)), count)
}

// Changed returns the entry that r puts, changes or removes, or 0. Renewals and ends of leases do not count: no reader
// relies on seeing these together with other changes.
func (r *Record) Changed() uint64 {
	switch r.Op {
	case Put, PutLater, Change:
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

// Join appends a Together record to msg if its records from offset from on, which belong to one call, change more than
// one entry.
// It decodes what the call has just encoded: the records are in the cache, and the engine, which appends them in many
// places, need not keep count.
func Join(msg []byte, from int) []byte {
	var r Record
	first, several, count := uint64(0), false, uint64(0)
	for rest := msg[from:]; len(rest) > 0; count++ {
		var err error
		if rest, err = Next(rest, &r); err != nil {
			return msg // its reader will report the error
		}
		switch entry := r.Changed(); {
		case entry == 0 || entry == first:
		case first == 0:
			first = entry
		default:
			several = true
		}
	}
	if !several {
		return msg
	}
	return AppendTogether(msg, count)
}
