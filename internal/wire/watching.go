package wire

import (
	"encoding/binary"

	"github.com/gospaces/gospaces/internal/call"
)

// AppendWatching appends the description of a registration.
func AppendWatching(dst []byte, w *call.Watching) []byte {
	dst = AppendLease(binary.AppendUvarint(dst, w.ID), w.Left)
	dst = binary.AppendUvarint(AppendEventSet(dst, w.On), w.Seq)
	dst = binary.AppendUvarint(dst, uint64(len(w.Kinds)))
	for _, kind := range w.Kinds {
		dst = AppendBytes(dst, kind)
	}
	return dst
}

// Watching decodes what AppendWatching appends.
func (d *Decoder) Watching() call.Watching {
	w := call.Watching{ID: d.Uvarint(), Left: d.Lease(), On: d.EventSet(), Seq: d.Uvarint()}
	for n := d.Len(MaxTemplates); n > 0 && !d.bad; n-- {
		w.Kinds = append(w.Kinds, string(d.Bytes()))
	}
	return w
}
