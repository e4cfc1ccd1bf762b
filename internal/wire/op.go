package wire

import (
	"encoding/binary"

	"github.com/gospaces/gospaces/internal/call"
)

// Op is what both sides have to know of the frames of one type that a client sends: an entry of the table below. A new
// call is an entry there, a rule of the partition, a method of the client and a line of docs/protocol.md.
type Op struct {
	Name   string
	traits trait
	body   body   // what is asked, after the handle; zero: nothing, or not as a call.Ask
	answer answer // what is answered; zero: nothing, or not as a call.Result
}

// trait is a set of what is the case for the calls of a type.
type trait uint16

const (
	handle   trait = 1 << iota // the body begins with the handle of a partition
	creates                    // it needs a space that exists, and makes it
	frugal                     // it is served when there is no memory left: it gives some back, or tells what is going on
	once                       // it is not to be made again while it is not known whether it was made
	recorded                   // unless under a transaction its outcome is kept, so that it can be repeated
	signed                     // what has begun by it is known by the client's session and the number of the call
	under                      // it may be made under a transaction of another partition
	ofTxn                      // it is about a transaction, which has to be named
	lasts                      // it may take its time: CancelWait ends it
	leaves                     // what it begins is to be ended if no caller waits for its answer any more
	rows                       // it brings rows of kinds that the client has to know
	asks                       // it has a query
	silent                     // it has no answer, and no number
)

// The table of operations.
var ops = [...]Op{
	Hello:   {Name: "Hello", traits: silent},
	Ping:    {Name: "Ping", traits: silent | frugal},
	Ack:     {Name: "Ack", traits: silent | frugal},
	Goodbye: {Name: "Goodbye", traits: silent | frugal},

	Echo:   {Name: "Echo"},
	Open:   {Name: "Open", traits: handle | frugal, body: openBody},
	Repeat: {Name: "Repeat"},

	Spaces:      {Name: "Spaces", answer: namesAnswer},
	Status:      {Name: "Status", traits: frugal, answer: bodyAnswer},
	Topology:    {Name: "Topology", traits: frugal, answer: topologyAnswer},
	CreateSpace: {Name: "CreateSpace", body: createSpaceBody},
	DropSpace:   {Name: "DropSpace", traits: once, body: dropSpaceBody},
	Manage:      {Name: "Manage", body: nameBody, answer: bodyAnswer},
	Backup:      {Name: "Backup", traits: leaves, answer: backupAnswer},
	Fetch:       {Name: "Fetch", body: fetchBody, answer: pieceAnswer},
	EndBackup:   {Name: "EndBackup", traits: frugal, body: idBody},

	Register: {Name: "Register", traits: handle | creates, body: schemaBody, answer: countAnswer},
	Schema:   {Name: "Schema", traits: handle, body: nameBody, answer: countAnswer},
	Drop:     {Name: "Drop", traits: handle, body: nameBody},
	Kinds:    {Name: "Kinds", traits: handle, answer: kindsAnswer},
	Snapshot: {Name: "Snapshot", traits: handle, answer: seqAnswer},

	Write: {
		Name: "Write", traits: handle | creates | once | recorded | under | rows,
		body: writeBody, answer: grantsAnswer,
	},
	Update: {
		Name: "Update", traits: handle | once | recorded | under | rows,
		body: updateBody, answer: versionAnswer,
	},
	Find: {
		Name: "Find", traits: handle | once | recorded | under | lasts | asks,
		body: findBody, answer: foundAnswer,
	},
	Count: {
		Name: "Count", traits: handle | under | lasts | asks,
		body: countBody, answer: countAnswer,
	},
	CancelWait: {Name: "CancelWait", traits: frugal | silent},
	Release:    {Name: "Release", traits: handle | frugal | silent, body: idBody},
	Contents:   {Name: "Contents", traits: handle | under | asks, body: contentsBody, answer: pageAnswer},

	Notify: {
		Name: "Notify", traits: handle | creates | once | recorded | under | leaves | asks,
		body: notifyBody, answer: notedAnswer,
	},
	Attach:        {Name: "Attach", traits: handle, body: attachBody, answer: seqAnswer},
	Acknowledge:   {Name: "Acknowledge", traits: handle | frugal | silent, body: acknowledgeBody},
	Registrations: {Name: "Registrations", traits: handle, body: idBody, answer: registrationsAnswer},

	Renew: {
		Name: "Renew", traits: handle | frugal | once | recorded,
		body: renewBody, answer: leasesAnswer,
	},
	Cancel: {
		Name: "Cancel", traits: handle | frugal | once | recorded,
		body: idsBody, answer: leasesAnswer,
	},

	BeginTxn: {
		Name: "BeginTxn", traits: handle | creates | signed | leaves,
		body: leaseBody, answer: grantsAnswer,
	},
	Commit: {
		Name: "Commit", traits: handle | frugal | once | recorded | ofTxn | rows,
		body: writeBody, answer: grantsAnswer,
	},
	Abort:    {Name: "Abort", traits: handle | frugal | ofTxn, body: txnBody},
	Rollback: {Name: "Rollback", traits: handle | frugal | once | ofTxn, body: rollbackBody},
	Defer:    {Name: "Defer", traits: handle | frugal | once | under | ofTxn, body: deferBody},
	Outcome:  {Name: "Outcome", traits: handle, body: outcomeBody, answer: outcomeAnswer},
}

// Types is more than the number of any type of frame that a client sends.
const Types = 64

// OpOf returns the entry of a type, or nil if a client sends no such frames.
func OpOf(t Type) *Op {
	if int(t) >= len(ops) || ops[t].Name == "" {
		return nil
	}
	return &ops[t]
}

func (o *Op) is(t trait) bool { return o.traits&t != 0 }

// HasHandle reports whether the body begins with the handle of a partition, which is open unless the call opens it.
func (o *Op) HasHandle() bool { return o.is(handle) }

// Creates reports whether the call needs a space that exists, and makes it if there is none. So do calls under
// transactions that have begun elsewhere.
func (o *Op) Creates() bool { return o.is(creates) }

// Frugal reports whether the call is served when there is no memory left.
func (o *Op) Frugal() bool { return o.is(frugal) }

// Once reports whether the call must not be made again when it is not known whether it was made, but for a Find, where
// that depends on the query.
func (o *Op) Once() bool { return o.is(once) }

// Recorded reports whether the partition keeps the outcome of the call until the client has it, unless the call is made
// under a transaction, so that the call can be repeated. Of finds it keeps those of takes.
func (o *Op) Recorded() bool { return o.is(recorded) }

// Signed reports whether the partition is told who makes the call: its outcome is kept, or what it begins is the
// client's.
func (o *Op) Signed() bool { return o.is(recorded | signed) }

// Under reports whether the call may be made under a transaction, also one that has begun elsewhere.
func (o *Op) Under() bool { return o.is(under) }

// OfTxn reports whether the call is about a transaction, which has to be named.
func (o *Op) OfTxn() bool { return o.is(ofTxn) }

// Lasts reports whether the server may take its time to answer, so that CancelWait ends the call.
func (o *Op) Lasts() bool { return o.is(lasts) }

// Leaves reports whether what the call begins is to be ended if no caller waits for its answer any more.
func (o *Op) Leaves() bool { return o.is(leaves) }

// HasRows reports whether the call brings rows.
func (o *Op) HasRows() bool { return o.is(rows) }

// HasQuery reports whether the call has a query.
func (o *Op) HasQuery() bool { return o.is(asks) }

// Silent reports whether the frame has no answer.
func (o *Op) Silent() bool { return o.is(silent) }

// Append appends the body of a call on the partition of a handle, which counts only if HasHandle.
func (o *Op) Append(dst []byte, handle uint64, a *call.Ask) []byte {
	if dst = o.AppendHandle(dst, handle); o.body.append == nil {
		return dst
	}
	return o.body.append(dst, a)
}

// AppendHandle appends the beginning of a body: the handle, if HasHandle.
func (o *Op) AppendHandle(dst []byte, handle uint64) []byte {
	if !o.HasHandle() {
		return dst
	}
	return binary.AppendUvarint(dst, handle)
}

// Decode decodes what Append appends after the handle. What a has afterwards aliases the body, but for the query, which
// is decoded into q; q is not used if the call has none. Slices of a are appended to from their beginnings.
func (o *Op) Decode(d *Decoder, a *call.Ask, q *Query) {
	if o.body.decode != nil {
		o.body.decode(d, a, q)
	}
}

// AppendAnswer appends the frames that answer a call with its result.
func (o *Op) AppendAnswer(dst []byte, callID uint64, r *call.Result) []byte {
	if o.answer.append == nil {
		return AppendFrame(dst, Answer, callID, nil)
	}
	return o.answer.append(dst, callID, r)
}

// DecodeAnswer decodes the body of an answer that AppendAnswer has appended. What r has afterwards aliases the body.
// Slices of r are appended to. Errs ends with the last error.
func (o *Op) DecodeAnswer(d *Decoder, r *call.Result) {
	if o.answer.decode != nil {
		o.answer.decode(d, r)
	}
}
