package record

import "encoding/binary"

// AppendCounters appends a Counters record; the engine defines the encoding of numbers.
func AppendCounters(dst, numbers []byte) []byte {
	return appendBody(append(dst, byte(Counters)), numbers)
}

// AppendEntry appends an Entry record. order is the place among the entries of its kind, and tries the number of its
// attempts.
func AppendEntry(dst []byte, id uint64, kind uint32, expires, visible int64, order uint64, version, tries uint32,
	row []byte,
) []byte {
	dst = binary.AppendUvarint(append(dst, byte(Entry)), id)
	dst = appendExpires(binary.AppendUvarint(dst, uint64(kind)), expires)
	dst = binary.AppendUvarint(binary.AppendUvarint(dst, uint64(visible)), order)
	return appendBody(binary.AppendUvarint(binary.AppendUvarint(dst, uint64(version)), uint64(tries)), row)
}

// AppendListener appends a Listener record; seq is the number of the registration's last event.
func AppendListener(dst []byte, id, on, seq uint64, expires int64, query []byte) []byte {
	dst = binary.AppendUvarint(binary.AppendUvarint(append(dst, byte(Listener)), id), on)
	return appendBody(appendExpires(binary.AppendUvarint(dst, seq), expires), query)
}

// AppendOutcome appends an Outcome record; the engine defines sort and body.
func AppendOutcome(dst []byte, session uint64, sort byte, number uint64, body []byte) []byte {
	dst = append(binary.AppendUvarint(append(dst, byte(Outcome)), session), sort)
	return appendBody(binary.AppendUvarint(dst, number), body)
}

// AppendEnded appends an Ended record.
func AppendEnded(dst []byte, records uint64) []byte {
	return binary.AppendUvarint(append(dst, byte(Ended)), records)
}

// AppendUnread appends an Unread record.
func AppendUnread(dst []byte, id, seq, position uint64) []byte {
	dst = binary.AppendUvarint(binary.AppendUvarint(append(dst, byte(Unread)), id), seq)
	return binary.AppendUvarint(dst, position)
}

// AppendFates appends a Fates record.
func AppendFates(dst []byte, page uint64, bits []byte) []byte {
	return appendBody(binary.AppendUvarint(append(dst, byte(Fates)), page), bits)
}
