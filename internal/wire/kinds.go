package wire

import (
	"encoding/binary"

	"github.com/gospaces/gospaces/internal/call"
)

// AppendKindCounts appends the number of visible entries of a kind, -1 for a dropped kind, and the numbers of others.
func AppendKindCounts(dst []byte, visible int, apart call.Apart) []byte {
	if visible < 0 {
		return append(dst, 0)
	}
	dst = binary.AppendUvarint(dst, uint64(visible)+1)
	return binary.AppendUvarint(binary.AppendUvarint(dst, uint64(apart.Held)), uint64(apart.Delayed))
}

// KindCounts decodes counts of AppendKindCounts.
func (d *Decoder) KindCounts() (visible int, apart call.Apart) {
	n := d.Uvarint()
	if n == 0 {
		return -1, apart
	}
	return int(n - 1), call.Apart{Held: int(d.Uvarint()), Delayed: int(d.Uvarint())}
}
