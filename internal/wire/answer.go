package wire

import (
	"encoding/binary"
	"math"
	"time"

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

// AppendEntries appends an answer of head and entries; if it is long, Part frames precede the Answer.
func AppendEntries(dst []byte, callID uint64, head []byte, entries []call.View) []byte {
	start := len(dst)
	dst = append(Begin(dst, Answer, callID), head...)
	for i := range entries {
		dst, start = nextPart(dst, start, callID)
		dst = AppendEntry(dst, &entries[i])
	}
	return End(dst, start)
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

// Begun describes the transactions that one call has begun for the entries it has taken.
type Begun struct {
	Lease int64 // of each, as granted
	// how long the call had waited before they began: their leases started that long after the call arrived
	Waited time.Duration
}

// AppendBegun appends the answer to a Find that begins transactions: the number of its transaction precedes each entry.
func AppendBegun(dst []byte, callID uint64, b Begun, entries []call.View) []byte {
	start := len(dst)
	dst = AppendLease(Begin(dst, Answer, callID), b.Lease)
	dst = binary.AppendUvarint(dst, uint64(b.Waited))
	for i := range entries {
		dst, start = nextPart(dst, start, callID)
		dst = AppendEntry(binary.AppendUvarint(dst, entries[i].Txn), &entries[i])
	}
	return End(dst, start)
}

// Begun decodes the beginning of AppendBegun's answer.
func (d *Decoder) Begun() Begun { return Begun{Lease: d.Lease(), Waited: d.Duration()} }

// EntryOf decodes one entry of AppendBegun's answer, or of AppendEntries' if begun is false.
func (d *Decoder) EntryOf(begun bool) call.View {
	if !begun {
		return d.Entry()
	}
	number := d.Uvarint()
	e := d.Entry()
	e.Txn = number
	return e
}

// AppendCounted appends the answer to a Find with Hidden: the number of hidden matches, and the entries, if any.
func AppendCounted(dst []byte, callID uint64, r *call.Result) []byte {
	var head [binary.MaxVarintLen64]byte
	return AppendEntries(dst, callID, appendHidden(head[:0], r.Count), r.Entries)
}

func appendHidden(dst []byte, n int) []byte { return binary.AppendUvarint(dst, uint64(n+1)) }

// Hidden decodes the number of hidden matches; -1 means unknown.
func (d *Decoder) Hidden() int { return int(d.Uint32()) - 1 }

// AppendPage appends the answer to Contents: whether another page follows, its cursor, the number of matches hidden
// from this page, and the entries.
func AppendPage(dst []byte, callID uint64, r *call.Result) []byte {
	var head [1 + 3*binary.MaxVarintLen64]byte
	if r.More {
		head[0] = 1
	}
	return AppendEntries(dst, callID, appendHidden(AppendCursor(head[:1], r.Cursor), r.Count), r.Entries)
}

// AppendCursor appends the position of an iteration.
func AppendCursor(dst []byte, c call.Cursor) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(dst, c.Place), c.Last)
}

// Cursor decodes a cursor of AppendCursor.
func (d *Decoder) Cursor() call.Cursor { return call.Cursor{Place: d.Uvarint(), Last: d.Uvarint()} }

// AppendGrant appends a granted lease.
func AppendGrant(dst []byte, g call.Grant) []byte {
	return AppendLease(binary.AppendUvarint(dst, g.ID), g.Granted)
}

// Grant decodes a lease of AppendGrant.
func (d *Decoder) Grant() call.Grant { return call.Grant{ID: d.Uvarint(), Granted: d.Lease()} }

// AppendFailed appends the errors of a bulk call that are not nil, with their positions.
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

// Failed decodes the errors of AppendFailed, and calls f for each.
func (d *Decoder) Failed(f func(i int, err error)) {
	for n := d.Len(MaxLeases); n > 0 && !d.bad; n-- {
		i, err := d.Len(MaxLeases-1), d.Error()
		if !d.bad {
			f(i, err)
		}
	}
}
