package wire

import (
	"encoding/binary"

	"github.com/gospaces/gospaces/internal/engine"
	"github.com/gospaces/gospaces/template"
)

// AppendDraft appends one entry of a Write; row follows the schema of the kind with that number.
func AppendDraft(dst []byte, kind engine.KindID, lease int64, row template.Row) []byte {
	dst = AppendLease(binary.AppendUvarint(dst, uint64(kind)), lease)
	return AppendBytes(dst, row)
}

// Draft decodes what AppendDraft appends.
func (d *Decoder) Draft() engine.Draft {
	return engine.Draft{Kind: d.Uint32(), Lease: d.Lease(), Row: d.Bytes()}
}

// AppendEntry appends one entry of an answer or event.
func AppendEntry(dst []byte, e *engine.View) []byte {
	dst = binary.AppendUvarint(dst, e.ID)
	return AppendBytes(binary.AppendUvarint(dst, uint64(e.Kind)), e.Row)
}

// Entry decodes what AppendEntry appends.
func (d *Decoder) Entry() engine.View {
	return engine.View{ID: d.Uvarint(), Kind: d.Uint32(), Row: d.Bytes()}
}

// AppendEntries appends an answer that is head and then entries, as Part frames before the Answer if it is long.
func AppendEntries(dst []byte, call uint64, head []byte, entries []engine.View) []byte {
	start := len(dst)
	dst = append(Begin(dst, Answer, call), head...)
	for i := range entries {
		if len(dst)-start > partSize {
			dst[start+lengthSize] = byte(Part)
			dst = End(dst, start)
			start = len(dst)
			dst = Begin(dst, Answer, call)
		}
		dst = AppendEntry(dst, &entries[i])
	}
	return End(dst, start)
}

// AppendPage appends the answer to Contents: whether another page follows, from which cursor, and this one.
func AppendPage(dst []byte, call uint64, r *engine.Result) []byte {
	var head [1 + binary.MaxVarintLen64]byte
	if r.More {
		head[0] = 1
	}
	return AppendEntries(dst, call, binary.AppendUvarint(head[:1], r.Cursor), r.Entries)
}

// AppendGrant appends a lease as it was given.
func AppendGrant(dst []byte, g engine.Grant) []byte {
	return AppendLease(binary.AppendUvarint(dst, g.ID), g.Granted)
}

// Grant decodes what AppendGrant appends.
func (d *Decoder) Grant() engine.Grant { return engine.Grant{ID: d.Uvarint(), Granted: d.Lease()} }

// AppendFailed appends the errors of a bulk call, nil where there is none, by their positions.
func AppendFailed(dst []byte, errs []error) []byte {
	n := 0
	for _, err := range errs {
		if err != nil {
			n++
		}
	}
	dst = binary.AppendUvarint(dst, uint64(n))
	for i, err := range errs {
		if err != nil {
			dst = AppendError(binary.AppendUvarint(dst, uint64(i)), err)
		}
	}
	return dst
}

// Failed decodes what AppendFailed appends, and calls f for each error.
func (d *Decoder) Failed(f func(i int, err error)) {
	for n := d.Len(MaxLeases); n > 0 && !d.bad; n-- {
		i, err := d.Len(MaxLeases-1), d.Error()
		if !d.bad {
			f(i, err)
		}
	}
}
