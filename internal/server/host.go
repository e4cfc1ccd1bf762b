package server

import (
	"context"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// Host serves a handle: it is the partition at an address, or stands for one that is not here. Its methods may be
// called concurrently, and do not block unless they say so. A Host must be comparable.
//
// Errors concern the handle only. A partition that is served elsewhere (call.ElsewhereError), not yet
// (call.ErrNotReady) or no longer (call.ErrDropped) answers its calls with that error, and the session goes on. When a
// Host ceases to serve, Server.Replaced resets its handles before it may serve again: calls that are on their way are
// made at another node meanwhile.
type Host interface {
	Calls
	Kinds
	Sessions
}

// Calls are the calls of a Host.
type Calls interface {
	// Do makes a call. The outcome is passed to c, now or later; if Do returns a rest, the rest returns it. A Host that
	// does not serve ends the call with the error that says why. What a refers to is copied, but for its query, which
	// belongs to the call until the reply.
	Do(c call.Caller, callID uint64, a *call.Ask) call.Rest
	// CancelWait ends a call that waits, or takes long, with call.ErrCancelled, unless it has been replied to.
	CancelWait(c call.Caller, callID uint64)
	// Gone ends all calls of c that wait, or take long, with call.ErrCancelled, and forgets it.
	Gone(c call.Caller)
	// Begin announces several calls that follow at once and should share one commit. End must follow soon, or Store,
	// which may wait for the log.
	Begin()
	End()
	Store()
	// Join prepares the Host for calls under a transaction that has begun elsewhere. If wait is not nil, it must have
	// returned nil before such a call is made; it blocks. Join returns call.ErrTxnEnded, and call.ErrInvalidArgument if
	// there is no such transaction.
	Join(id txn.ID) (wait func(context.Context) error, err error)
	// Registrations returns up to max registrations with identities higher than after, in that order, and whether there
	// are more. It may block.
	Registrations(after uint64, max int) (found []call.Registration, more bool, err error)
}

// Kinds are the kinds of a Host. The methods take no lock.
type Kinds interface {
	// Schema returns the schema of a kind, also of one that was dropped, or nil.
	Schema(k call.KindID) *template.Schema
	// IsDropped reports whether a kind was dropped.
	IsDropped(k call.KindID) bool
	// KindID returns the number of the named kind, or 0.
	KindID(name string) call.KindID
}

// Sessions are the sessions of clients that repeat calls, as a Host knows them.
type Sessions interface {
	// Logged reports whether outcomes may be handed over before they are durable.
	Logged() bool
	// OpenSession returns the number of a client's session, for call.Request, and begins a session if the client has none.
	// before is the number that the client was told last, or 0; lost reports that the outcomes of the calls of that
	// session are not known any more. CloseSession must follow.
	OpenSession(client call.Client, before uint64) (session uint64, lost bool, err error)
	// CloseSession ends the use of a session. goodbye says that its client will not ask for outcomes any more.
	CloseSession(session uint64, goodbye bool)
	// Adopt makes h the holder of the transactions of a session, which hears what becomes of them, and calls reply with
	// those that are open. That the others have ended may be shown once lsn is durable.
	Adopt(session uint64, h call.Holder, reply func(open []call.OpenTxn, lsn call.LSN, durable bool)) error
	// Received says that the client of a session has all outcomes up to lsn.
	Received(session uint64, lsn call.LSN)
	// Recall replies to a repeated call with its earlier outcome. If it has none, Recall returns false and does not reply.
	// It returns an error, and does not reply either, while the outcome cannot be told.
	Recall(c call.Caller, callID uint64, by call.Request) (had bool, err error)
	// LoseTxn ends a transaction whose client has gone, with or without a goodbye.
	LoseTxn(number uint64, goodbye bool)
}
