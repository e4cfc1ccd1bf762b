package wire

import (
	"encoding/binary"
	"math"

	"github.com/gospaces/gospaces/internal/call"
)

// answer is the codec of what is answered, with the result of the call. The zero value is an empty answer.
type answer struct {
	append func(dst []byte, callID uint64, r *call.Result) []byte
	decode func(d *Decoder, r *call.Result)
}

// whole returns the answer whose only frame has the body that add appends.
func whole(add func(dst []byte, r *call.Result) []byte, decode func(d *Decoder, r *call.Result)) answer {
	return answer{
		append: func(dst []byte, callID uint64, r *call.Result) []byte {
			start := len(dst)
			return End(add(Begin(dst, Answer, callID), r), start)
		},
		decode: decode,
	}
}

var (
	grantsAnswer  = whole(appendGrants, (*Decoder).grants)
	leasesAnswer  = whole(appendLeases, (*Decoder).leases)
	notedAnswer   = whole(appendNoted, (*Decoder).noted)
	seqAnswer     = whole(appendSeq, (*Decoder).seq)
	countAnswer   = whole(appendCount, (*Decoder).count)
	versionAnswer = whole(appendVersion, (*Decoder).version)
	kindsAnswer   = whole(appendKinds, (*Decoder).kinds)
	foundAnswer   = answer{appendFound, (*Decoder).found}
	pageAnswer    = answer{appendPage, (*Decoder).page}
	outcomeAnswer = answer{appendOutcome, (*Decoder).outcome}
)

func appendGrants(dst []byte, r *call.Result) []byte {
	for i := range r.Grants {
		dst = appendGrant(dst, r.Grants[i])
	}
	return dst
}

func (d *Decoder) grants(r *call.Result) {
	for d.More() {
		r.Grants = append(r.Grants, d.grant())
	}
}

func appendLeases(dst []byte, r *call.Result) []byte {
	return appendGrants(appendFailed(dst, r.Errs), r)
}

func (d *Decoder) leases(r *call.Result) {
	d.failed(r)
	d.grants(r)
}

func appendNoted(dst []byte, r *call.Result) []byte {
	return appendSeq(appendGrant(dst, r.Grants[0]), r)
}

func (d *Decoder) noted(r *call.Result) {
	r.Grants = append(r.Grants, d.grant())
	d.seq(r)
}

func appendSeq(dst []byte, r *call.Result) []byte { return binary.AppendUvarint(dst, r.Seq) }

func (d *Decoder) seq(r *call.Result) { r.Seq = d.Uvarint() }

func appendCount(dst []byte, r *call.Result) []byte {
	return binary.AppendUvarint(dst, uint64(r.Count))
}

func (d *Decoder) count(r *call.Result) { r.Count = d.Len(math.MaxInt) }

func appendVersion(dst []byte, r *call.Result) []byte {
	return binary.AppendUvarint(dst, uint64(r.Version))
}

func (d *Decoder) version(r *call.Result) { r.Version = d.Uint32() }

// appendKinds appends the number of visible entries of each kind, 0 alone for a dropped one, and the numbers of others.
func appendKinds(dst []byte, r *call.Result) []byte {
	for i, n := range r.Counts {
		if dst = binary.AppendUvarint(dst, uint64(n+1)); n >= 0 {
			dst = binary.AppendUvarint(dst, uint64(r.Apart[i].Held))
			dst = binary.AppendUvarint(dst, uint64(r.Apart[i].Delayed))
		}
	}
	return dst
}

func (d *Decoder) kinds(r *call.Result) {
	for d.More() {
		n, apart := d.Len(math.MaxInt)-1, call.Apart{}
		if n >= 0 {
			apart = call.Apart{Held: d.Len(math.MaxInt), Delayed: d.Len(math.MaxInt)}
		}
		r.Counts, r.Apart = append(r.Counts, n), append(r.Apart, apart)
	}
}

// What precedes the entries that a Find has found.
const (
	foundBegun    = 1 // what is to be known of the transactions that it has begun, and each entry's is before the entry
	foundHidden   = 2 // the number of hidden matches
	foundReserved = 4 // the number of the reservation
)

// appendFound appends the answer to a Find. It has begun a transaction for each entry if the result has Grants, and has
// reserved the entry if that has a transaction all the same.
func appendFound(dst []byte, callID uint64, r *call.Result) []byte {
	var room [1 + 3*binary.MaxVarintLen64]byte
	head := append(room[:0], 0)
	begun := len(r.Grants) > 0
	if begun {
		head[0] |= foundBegun
		head = binary.AppendUvarint(AppendLease(head, r.Grants[0].Granted), uint64(r.Waited)) // each has the same
	}
	if r.Count != 0 {
		head[0] |= foundHidden
		head = appendHidden(head, r.Count)
	}
	if !begun && len(r.Entries) > 0 && r.Entries[0].Txn != 0 {
		head[0] |= foundReserved
		head = binary.AppendUvarint(head, r.Entries[0].Txn)
	}
	return appendEntries(dst, callID, head, begun, r.Entries)
}

func (d *Decoder) found(r *call.Result) {
	what, granted := d.Byte(), int64(0)
	begun := what&foundBegun != 0
	if begun {
		granted, r.Waited = d.Lease(), d.Duration()
	}
	if what&foundHidden != 0 {
		r.Count = d.hidden()
	}
	reserved := uint64(0)
	if what&foundReserved != 0 {
		reserved = d.Uvarint()
	}
	if what >= foundReserved<<1 {
		d.fail()
	}
	d.entries(begun, r)
	if reserved != 0 && len(r.Entries) > 0 {
		r.Entries[0].Txn = reserved
	}
	for i := range r.Entries {
		if begun {
			r.Grants = append(r.Grants, call.Grant{ID: r.Entries[i].Txn, Granted: granted})
		}
	}
}

// appendHidden appends the number of matches that others have locked, -1 if it is not known.
func appendHidden(dst []byte, n int) []byte { return binary.AppendUvarint(dst, uint64(n+1)) }

func (d *Decoder) hidden() int { return int(d.Uint32()) - 1 }

// appendPage appends the answer to Contents: whether another page follows, its cursor, the number of matches hidden
// from this page, and the entries.
func appendPage(dst []byte, callID uint64, r *call.Result) []byte {
	var room [1 + 3*binary.MaxVarintLen64]byte
	head := appendHidden(AppendCursor(append(room[:0], flag(r.More)), r.Cursor), r.Count)
	return appendEntries(dst, callID, head, false, r.Entries)
}

func (d *Decoder) page(r *call.Result) {
	r.More, r.Cursor, r.Count = d.Byte() != 0, d.Cursor(), d.hidden()
	d.entries(false, r)
}

// appendOutcome appends the answer to an Outcome: the fate and, for a committed call, its result.
func appendOutcome(dst []byte, callID uint64, r *call.Result) []byte {
	head := binary.AppendUvarint(append([]byte(nil), byte(r.Fate)), uint64(r.Version))
	head = appendGrants(binary.AppendUvarint(head, uint64(len(r.Grants))), r)
	return appendEntries(dst, callID, head, false, r.Entries)
}

func (d *Decoder) outcome(r *call.Result) {
	r.Fate, r.Version = call.Fate(d.Byte()), d.Uint32()
	for n := d.Len(MaxDrafts); n > 0 && d.Ok(); n-- {
		r.Grants = append(r.Grants, d.grant())
	}
	d.entries(false, r)
}
