package server

import (
	"context"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// Host is what a handle is served by: the partition at an address, or what stands for one that is not here. Its methods
// may be called concurrently, and do not block unless they say so. A Host must be comparable.
//
// Every error is that of the handle: a Host that is not here (call.ElsewhereError), not yet (call.ErrNotReady) or not
// any more (call.ErrDropped) answers its calls so, and the session goes on. When one ceases to serve, Server.Replaced
// resets its handles, before it may serve again: calls that are on their way are made at another node meanwhile.
type Host interface {
	Calls
	Kinds
	Sessions
}

// Calls are what can be asked of a Host.
type Calls interface {
	// Do makes a call and tells c its outcome, now or later, unless it returns a rest: then the rest returns it. A call
	// has the outcome of a Host that does not serve by that error. What a refers to is copied, but for its query, which
	// belongs to the call until the reply.
	Do(c call.Caller, callID uint64, a *call.Ask) call.Rest
	// CancelWait ends a call that waits, or takes long, with call.ErrCancelled, unless it has been replied to.
	CancelWait(c call.Caller, callID uint64)
	// Gone ends all calls of c that wait, or take long, with call.ErrCancelled, and forgets it.
	Gone(c call.Caller)
	// Begin tells that several calls follow at once, which had better share one commit. End must follow soon.
	Begin()
	End()
	// Join prepares the Host for calls under a transaction that has begun elsewhere. wait, if it is not nil, has to have
	// returned nil before such a call is made; it blocks. Join returns call.ErrTxnEnded, and call.ErrInvalidArgument if
	// there is no such transaction.
	Join(id txn.ID) (wait func(context.Context) error, err error)
	// Registrations returns up to max registrations with identities higher than after, in that order, and whether there
	// are more. It may block.
	Registrations(after uint64, max int) (found []call.Registration, more bool, err error)
}

// Kinds are the kinds of a Host, which take no lock.
type Kinds interface {
	// Schema returns the schema of a kind, also of one that was dropped, or nil.
	Schema(k call.KindID) *template.Schema
	// IsDropped reports whether a kind was dropped.
	IsDropped(k call.KindID) bool
	// KindID returns the number of the named kind, or 0.
	KindID(name string) call.KindID
}

// Sessions are what a Host knows of clients that repeat calls.
type Sessions interface {
	// Logged reports whether outcomes may be handed over before they are durable.
	Logged() bool
	// OpenSession returns the number of a client's session, for call.Request, and begins one if the client has none.
	// before is the number that the client was told the last time, or 0; lost reports that the outcomes of the calls of
	// that session are not known any more. CloseSession must follow.
	OpenSession(client call.Client, before uint64) (session uint64, lost bool, err error)
	// CloseSession ends the use of a session. goodbye tells that its client will not ask for outcomes any more.
	CloseSession(session uint64, goodbye bool)
	// Adopt makes h the one to be told of what becomes of the transactions of a session, and tells reply which are open:
	// that the others have ended may be shown when lsn is durable.
	Adopt(session uint64, h call.Holder, reply func(open []call.OpenTxn, lsn call.LSN, durable bool)) error
	// Received tells that the client of a session has all outcomes up to lsn.
	Received(session uint64, lsn call.LSN)
	// Recall replies to a call that is made again with the outcome that it has had. If it had none Recall reports false,
	// and replies nothing. It fails, likewise without a reply, while the outcome cannot be told.
	Recall(c call.Caller, callID uint64, by call.Request) (had bool, err error)
	// LoseTxn ends a transaction whose client has gone, after a goodbye or without a word.
	LoseTxn(number uint64, goodbye bool)
}
