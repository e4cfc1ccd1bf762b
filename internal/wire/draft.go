package wire

import (
	"encoding/binary"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/template"
)

// AppendDrafts appends the beginning of a list of n entries to be written; if delayed is set, each entry has a delay.
// The entries follow.
func AppendDrafts(dst []byte, n int, delayed bool) []byte {
	v := uint64(n) << 1
	if delayed {
		v |= 1
	}
	return binary.AppendUvarint(dst, v)
}

// AppendDraft appends one entry of a list without delays; row follows the schema of the numbered kind.
func AppendDraft(dst []byte, kind call.KindID, lease int64, row template.Row) []byte {
	dst = AppendLease(binary.AppendUvarint(dst, uint64(kind)), lease)
	return AppendBytes(dst, row)
}

// AppendDelayed appends one entry of a list with delays; the delay is not negative.
func AppendDelayed(dst []byte, kind call.KindID, lease, delay int64, row template.Row) []byte {
	dst = binary.AppendUvarint(AppendLease(binary.AppendUvarint(dst, uint64(kind)), lease), uint64(delay))
	return AppendBytes(dst, row)
}

// Drafts decodes a list of entries to be written and appends them to dst; their rows alias the body.
func (d *Decoder) Drafts(dst []call.Draft) []call.Draft {
	v := d.Len(MaxDrafts<<1 | 1)
	for n := v >> 1; n > 0 && !d.bad; n-- {
		e := call.Draft{Kind: d.Uint32(), Lease: d.Lease()}
		if v&1 != 0 {
			e.Delay = int64(d.Duration())
		}
		e.Row = d.Bytes()
		dst = append(dst, e)
	}
	return dst
}
