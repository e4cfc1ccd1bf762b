package record

import "encoding/binary"

// Held is the content of a Hold record: an entry that a transaction has taken.
type Held struct {
	Txn, Entry uint64
	Kind       uint32 // of the entry
	Session    uint64 // of the holder; 0 is none
	Call       uint64 // the call of that session that began the transaction; 0 is none
	Since      int64
	Until      int64 // end of the transaction's lease
	Visible    int64 // the commit defers the entry until this time; 0: the commit removes it
	Volatile   bool
	Holder     string // name of the holder
}

// AppendHold appends a Hold record.
func AppendHold(dst []byte, h *Held) []byte {
	dst = binary.AppendUvarint(binary.AppendUvarint(append(dst, byte(Hold)), h.Txn), h.Entry)
	dst = binary.AppendUvarint(dst, uint64(h.Kind))
	dst = binary.AppendUvarint(binary.AppendUvarint(dst, h.Session), h.Call)
	dst = appendExpires(binary.AppendUvarint(dst, uint64(h.Since)), h.Until)
	dst = append(binary.AppendUvarint(dst, uint64(h.Visible)), flag(h.Volatile))
	return append(binary.AppendUvarint(dst, uint64(len(h.Holder))), h.Holder...)
}

func flag(on bool) byte {
	if on {
		return 1
	}
	return 0
}

// AppendRelease appends a Release record.
func AppendRelease(dst []byte, id uint64, kind uint32, why Reason, at int64, tries uint32) []byte {
	dst = append(appendEntry(dst, Release, id, kind), byte(why))
	return binary.AppendUvarint(binary.AppendUvarint(dst, uint64(at)), uint64(tries))
}

// AppendDeath appends a Death record.
func AppendDeath(dst []byte, id uint64, at int64, holder string) []byte {
	dst = binary.AppendUvarint(binary.AppendUvarint(append(dst, byte(Death)), id), uint64(at))
	return append(binary.AppendUvarint(dst, uint64(len(holder))), holder...)
}
