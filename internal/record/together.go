package record

import "encoding/binary"

// A message holds the records of many calls. Most change one entry, and what they do may be seen in any order with what others do. Those of a
// call that changes several, a commit for example, must be seen together; whoever takes a message apart needs to know them.

// AppendTogether appends a Together record.
func AppendTogether(dst []byte, count uint64) []byte {
	return binary.AppendUvarint(append(dst, byte(Together)), count)
}

// Changed returns the entry that r puts, changes or removes, or 0. It does not count that an entry's lease has ended or has another end: nobody
// relies on seeing that together with anything else.
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

// Join appends a Together record to msg if its records from offset from on, which are those of one call, change more than one entry.
func Join(msg []byte, from int) []byte {
	var r Record
	first, several, count := uint64(0), false, uint64(0)
	for rest := msg[from:]; len(rest) > 0; count++ {
		var err error
		if rest, err = Next(rest, &r); err != nil {
			return msg // whoever reads it will say so
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
