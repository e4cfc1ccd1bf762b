// Package record is the format of the log: decisions of a primary, in sequence, in groups.
//
// Records are decisions, not requests: applying them needs no clock and no matching. A restart, followers and the
// mirror read them. A group is the content of one log message, and takes effect as a whole or not at all.
package record

import (
	"errors"
	"fmt"
)

// Op is the type of a record's decision. The numbers are part of the log format: append only.
type Op uint8

const (
	Kind       Op = 1 // kind ID has the schema Body (template.AppendSchema)
	Put        Op = 2 // entry ID of kind Kind with fields Body is visible, until Expires
	Remove     Op = 3 // entry ID of kind Kind is removed, for Reason
	Renew      Op = 4 // the lease of ID ends at Expires: of an entry of kind Kind, or of a registration if Kind is 0
	Register   Op = 5 // registration ID for the query Body lives until Expires
	Unregister Op = 6 // registration ID has ended, for Reason
	Notify     Op = 7 // registration ID has one more event: entry Entry was written

	Change   Op = 8  // entry ID of kind Kind, which lasts until Expires, now has fields Body
	PutLater Op = 9  // entry ID of kind Kind with fields Body lasts until Expires, and becomes visible at Visible
	Defer    Op = 10 // entry ID of kind Kind becomes visible at Visible, and has had Tries attempts
	Reveal   Op = 11 // entry ID of kind Kind, which was hidden, is visible
	Reserve  Op = 12 // identities up to ID may be in use although no record names them
	Watch    Op = 13 // like Register, for events of the types On
	// registration ID has one more event, of type Type: about entry Entry, of kind Kind with fields Body, version and
	// attempts
	Tell Op = 14
	// registration ID has one more event, a gap with cause Type
	Gap Op = 34

	// A prepared transaction has no effect until it is settled. Its commit repeats its effects as ordinary records.
	Prepare   Op = 15 // transaction ID, named Body in other partitions, is prepared; the following records belong to it
	StageTake Op = 16 // transaction ID will remove entry Entry or, if Visible is not 0, defer it until then
	// transaction ID will put entry Entry: of kind Kind with fields Body, until Expires, visible from Visible
	Stage       Op = 17
	StageChange Op = 18 // transaction ID will change entry Entry to fields Body
	Settle      Op = 19 // transaction ID is no longer prepared
	Decide      Op = 20 // transaction ID is committed, also for the participants in Body
	Forget      Op = 21 // no participant of transaction ID needs the decision any more
	Committed   Op = 23 // transaction ID has committed
	TxnPage     Op = 44 // the identities from 32768·ID to the next multiple are those of transactions

	// A session has the outcomes of a client's calls, so that a call whose answer was lost can be repeated and returns the
	// same outcome. Number is that of the call.
	Session    Op = 24 // session ID belongs to the client Body
	EndSession Op = 25 // session ID has ended, for Reason: no call will ask for its outcomes
	Wrote      Op = 26 // session ID has written Count entries from Entry on, with leases Body
	Take       Op = 27 // entry Entry of kind Kind is removed: session ID has taken it
	Done       Op = 28 // a call of session ID has the outcome Body
	Received   Op = 29 // the first Count outcomes of session ID are no longer needed
	TakeMore   Op = 30 // like Take, for a call that has taken another entry before

	// Hold is a take of an open transaction: transaction ID, until Expires, has taken entry Entry of kind Kind at Time,
	// and will remove it or, if Visible is not 0, defer it until then. The log knows the transaction as long as it holds
	// something: a commit ends that with Remove and Defer, anything else with Release.
	Hold     Op = 22
	Volatile Op = 33 // transaction ID has done more than take, and does not survive a restart
	// entry ID of kind Kind is no longer held, since Time and for Reason: it is in its old place, and has had Tries
	// attempts
	Release Op = 32

	// A primary has learned this from its queries, so that its successor need not.
	Index     Op = 40 // kind Kind has an index of shape Body
	DropIndex Op = 41 // the index is dropped

	// nothing: its message shows that its primary has not been replaced
	Noop Op = 47

	// Replicas compare their states.
	Audit    Op = 35 // the state at the end of this message, whose last record it is, is to be compared
	Checksum Op = 36 // the state at the end of the message at position Number, which had Audit, has the checksum Count

	// part of the log before this is lost: identities far above those it names may be in use
	Lost Op = 46
	// the space begins: identities up to ID may be those of an earlier one; see OriginAt
	Origin Op = 43

	Together Op = 31 // the last Count changes of entries (Changed) are those of a call that changed several

	Drop Op = 42 // kind Kind, which has no entries, is dropped: its number is never reused, its name may be

	// An image consists of these records, and of Kind, Drop, Index, Session, Prepare, StageTake, Stage, StageChange, Hold
	// and Decide. A log never has them.
	Counters Op = 48 // the highest issued numbers, in Body
	// entry ID of kind Kind with fields Body: until Expires, visible from Visible, place Number in the order
	Entry    Op = 49
	Listener Op = 50 // like Watch, for a registration that has had Count events
	Outcome  Op = 51 // session ID has an outcome Body
	Ended    Op = 52 // the image is complete; it has Count records before this one
	Death    Op = 55 // the last holder of entry ID was Body, which vanished at Time
	// events of registration ID from number Number on are not collected, and are in the log from position Count on
	Unread Op = 53
	Fates  Op = 54 // page Number is one of transactions; which of them have committed, as bits in Body
)

// Reason is why something ended. The numbers are part of the log format: append only.
type Reason uint8

const (
	Taken     Reason = 1
	Expired   Reason = 2
	Cancelled Reason = 3
	Gone      Reason = 4 // the session of the holder ended without a goodbye
	Restarted Reason = 5 // a restart ended the transaction
)

// Record is one decoded record; Op determines which fields are set.
type Record struct {
	Op       Op
	Reason   Reason
	Type     byte // of an event
	Kind     uint32
	ID       uint64
	Entry    uint64
	Number   uint64
	Session  uint64 // of a Hold: the session of the holder; 0 is none
	Count    uint64
	Version  uint32 // of an entry
	Tries    uint32 // of an entry: attempts
	On       uint64 // a set of event types, as bits
	Expires  int64  // nanoseconds since the Unix epoch; math.MaxInt64 is never
	Visible  int64  // as Expires; 0 is at once
	Time     int64  // nanoseconds since the Unix epoch
	Volatile bool   // of a Hold: its transaction does not survive a restart
	Body     []byte // aliases the group
}

// ErrCorrupt is returned for bytes that are not a valid record.
var ErrCorrupt = errors.New("record: corrupt record")

// Next decodes the first record of b into r and returns the rest of b. It returns ErrCorrupt for an invalid record.
func Next(b []byte, r *Record) (rest []byte, err error) {
	if len(b) == 0 {
		return nil, ErrCorrupt
	}
	d := decoder{b: b[1:]}
	*r = Record{Op: Op(b[0])}
	switch r.Op {
	case Kind, Index, DropIndex:
		r.Kind, r.Body = d.uint32(), d.body()
	case Put:
		r.ID, r.Kind, r.Expires, r.Body = d.uvarint(), d.uint32(), d.expires(), d.body()
	case Remove:
		r.ID, r.Kind, r.Reason = d.uvarint(), d.uint32(), Reason(d.byte())
	case Unregister, EndSession:
		r.ID, r.Reason = d.uvarint(), Reason(d.byte())
	case Renew:
		r.ID, r.Kind, r.Expires = d.uvarint(), d.uint32(), d.expires()
	case Register:
		r.ID, r.Expires, r.Body = d.uvarint(), d.expires(), d.body()
	case Notify:
		r.ID, r.Entry = d.uvarint(), d.uvarint()
	case Change:
		r.ID, r.Kind, r.Expires, r.Body = d.uvarint(), d.uint32(), d.expires(), d.body()
	case PutLater:
		r.ID, r.Kind, r.Expires, r.Visible, r.Body = d.uvarint(), d.uint32(), d.expires(), d.time(), d.body()
	case Defer:
		r.ID, r.Kind, r.Tries, r.Visible = d.uvarint(), d.uint32(), d.uint32(), d.time()
	case Reveal:
		r.ID, r.Kind = d.uvarint(), d.uint32()
	case Drop:
		r.Kind = d.uint32()
	case Reserve, Settle, Forget, Committed, Volatile, Origin, TxnPage:
		r.ID = d.uvarint()
	case Watch:
		r.ID, r.On, r.Expires, r.Body = d.uvarint(), d.uvarint(), d.expires(), d.body()
	case Tell:
		r.ID, r.Type, r.Entry, r.Kind = d.uvarint(), d.byte(), d.uvarint(), d.uint32()
		r.Version, r.Tries, r.Body = d.uint32(), d.uint32(), d.body()
	case Gap:
		r.ID, r.Type = d.uvarint(), d.byte()
	case Prepare, Decide, Session:
		r.ID, r.Body = d.uvarint(), d.body()
	case StageTake:
		r.ID, r.Entry, r.Visible = d.uvarint(), d.uvarint(), d.time()
	case Hold:
		r.ID, r.Entry, r.Kind, r.Session, r.Number = d.uvarint(), d.uvarint(), d.uint32(), d.uvarint(), d.uvarint()
		r.Time, r.Expires, r.Visible, r.Volatile, r.Body = d.time(), d.expires(), d.time(), d.byte() != 0, d.body()
	case Release:
		r.ID, r.Kind, r.Reason, r.Time, r.Tries = d.uvarint(), d.uint32(), Reason(d.byte()), d.time(), d.uint32()
	case Death:
		r.ID, r.Time, r.Body = d.uvarint(), d.time(), d.body()
	case Stage:
		r.ID, r.Entry, r.Kind = d.uvarint(), d.uvarint(), d.uint32()
		r.Expires, r.Visible, r.Body = d.expires(), d.time(), d.body()
	case Counters:
		r.Body = d.body()
	case Entry:
		r.ID, r.Kind, r.Expires, r.Visible, r.Number = d.uvarint(), d.uint32(), d.expires(), d.time(), d.uvarint()
		r.Version, r.Tries, r.Body = d.uint32(), d.uint32(), d.body()
	case Listener:
		r.ID, r.On, r.Count, r.Expires, r.Body = d.uvarint(), d.uvarint(), d.uvarint(), d.expires(), d.body()
	case Outcome:
		r.ID, r.Type, r.Number, r.Body = d.uvarint(), d.byte(), d.uvarint(), d.body()
	case Fates:
		r.Number, r.Body = d.uvarint(), d.body()
	case Lost, Noop, Audit:
	case Ended, Together:
		r.Count = d.uvarint()
	case Unread:
		r.ID, r.Number, r.Count = d.uvarint(), d.uvarint(), d.uvarint()
	case StageChange:
		r.ID, r.Entry, r.Body = d.uvarint(), d.uvarint(), d.body()
	case Wrote:
		r.ID, r.Number, r.Entry, r.Count, r.Body = d.uvarint(), d.uvarint(), d.uvarint(), d.uvarint(), d.body()
	case Take, TakeMore:
		r.ID, r.Number, r.Entry, r.Kind = d.uvarint(), d.uvarint(), d.uvarint(), d.uint32()
	case Done:
		r.ID, r.Number, r.Body = d.uvarint(), d.uvarint(), d.body()
	case Received:
		r.ID, r.Count = d.uvarint(), d.uvarint()
	case Checksum:
		r.Number, r.Count = d.uvarint(), d.uvarint()
	default:
		return nil, fmt.Errorf("%w: unknown operation %d: it is damaged, or a newer program has written it", ErrCorrupt, b[0])
	}
	if d.bad {
		return nil, fmt.Errorf("%w: operation %d ends too early", ErrCorrupt, b[0])
	}
	return d.b, nil
}
