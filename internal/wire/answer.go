package wire

import (
	"encoding/binary"
	"math"

	"github.com/gospaces/gospaces/internal/call"
)

// Flags of an entry, in the number that contains its version.
const (
	entryAttempts  = 1 // attempts follow
	entryDied      = 2 // its last holder follows, and when that vanished
	entryHeld      = 4 // its holding follows
	entryFlags     = 8
	maxEntryNumber = math.MaxUint32*entryFlags + entryFlags - 1
)

// AppendEntry appends one entry of an answer or event.
func AppendEntry(dst []byte, e *call.View) []byte {
	dst = binary.AppendUvarint(dst, e.ID)
	dst = binary.AppendUvarint(dst, uint64(e.Kind))
	state := uint64(e.Version) * entryFlags
	if e.Attempts == 0 && e.Held == nil {
		return AppendBytes(binary.AppendUvarint(dst, state), e.Row)
	}
	if e.Attempts != 0 {
		state |= entryAttempts
	}
	if e.Died != nil {
		state |= entryDied
	}
	if e.Held != nil {
		state |= entryHeld
	}
	dst = binary.AppendUvarint(dst, state)
	if e.Attempts != 0 {
		dst = binary.AppendUvarint(dst, uint64(e.Attempts))
	}
	if e.Died != nil {
		dst = binary.AppendUvarint(AppendBytes(dst, e.Died.Holder), uint64(e.Died.At))
	}
	if e.Held != nil {
		dst = appendHolding(dst, e.Held)
	}
	return AppendBytes(dst, e.Row)
}

func appendHolding(dst []byte, h *call.Holding) []byte {
	dst = AppendBytes(AppendTxn(dst, h.Txn), h.Holder)
	return AppendLease(binary.AppendUvarint(dst, uint64(h.For+1)), h.Left) // 0: unknown
}

func (d *Decoder) holding() *call.Holding {
	return &call.Holding{Txn: d.Txn(), Holder: string(d.Bytes()), For: int64(d.Uvarint()) - 1, Left: d.Lease()}
}

// Entry decodes an entry of AppendEntry.
func (d *Decoder) Entry() call.View {
	e := call.View{ID: d.Uvarint(), Kind: d.Uint32()}
	state := d.Uvarint()
	if state > maxEntryNumber {
		d.fail()
	}
	e.Version = uint32(state / entryFlags)
	if state&entryAttempts != 0 {
		e.Attempts = d.Uint32()
	}
	if state&entryDied != 0 {
		e.Died = &call.Death{Holder: string(d.Bytes()), At: int64(d.Uvarint())}
	}
	if state&entryHeld != 0 {
		e.Held = d.holding()
	}
	e.Row = d.Bytes()
	return e
}

// appendEntries appends an answer of head and entries, each after the number of its transaction if one was begun for
// it; if it is long, Part frames precede the Answer.
func appendEntries(dst []byte, callID uint64, head []byte, begun bool, entries []call.View) []byte {
	start := len(dst)
	dst = append(Begin(dst, Answer, callID), head...)
	for i := range entries {
		dst, start = nextPart(dst, start, callID)
		if begun {
			dst = binary.AppendUvarint(dst, entries[i].Txn)
		}
		dst = AppendEntry(dst, &entries[i])
	}
	return End(dst, start)
}

// entries decodes the rest of an answer of appendEntries.
func (d *Decoder) entries(begun bool, r *call.Result) {
	for d.More() {
		number := uint64(0)
		if begun {
			number = d.Uvarint()
		}
		e := d.Entry()
		e.Txn = number
		r.Entries = append(r.Entries, e)
	}
}

// nextPart turns the Answer appended since start into a Part, if it is long enough, and begins the rest of the Answer.
func nextPart(dst []byte, start int, callID uint64) (_ []byte, newStart int) {
	if len(dst)-start <= partSize {
		return dst, start
	}
	dst[start+lengthSize] = byte(Part)
	dst = End(dst, start)
	return Begin(dst, Answer, callID), len(dst)
}

// AppendCursor appends the position of an iteration.
func AppendCursor(dst []byte, c call.Cursor) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(dst, c.Place), c.Last)
}

// Cursor decodes a cursor of AppendCursor.
func (d *Decoder) Cursor() call.Cursor { return call.Cursor{Place: d.Uvarint(), Last: d.Uvarint()} }

// appendGrant appends a granted lease.
func appendGrant(dst []byte, g call.Grant) []byte {
	return AppendLease(binary.AppendUvarint(dst, g.ID), g.Granted)
}

func (d *Decoder) grant() call.Grant { return call.Grant{ID: d.Uvarint(), Granted: d.Lease()} }

// appendFailed appends the errors of a bulk call that are not nil, with their positions.
func appendFailed(dst []byte, errs []error) []byte {
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

// failed decodes the errors of appendFailed, as far as the last of them.
func (d *Decoder) failed(r *call.Result) {
	for n := d.Len(MaxLeases); n > 0 && !d.bad; n-- {
		i, err := d.Len(MaxLeases-1), d.Error()
		if d.bad {
			return
		}
		for len(r.Errs) <= i {
			r.Errs = append(r.Errs, nil)
		}
		r.Errs[i] = err
	}
}
