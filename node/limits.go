package node

import (
	"cmp"
	"time"

	"github.com/gospaces/gospaces/internal/budget"
	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/internal/server"
	"github.com/gospaces/gospaces/internal/wire"
)

// Limits limit the resources that a server holds for clients. Zero is the default; a negative number means no limit,
// where that is allowed.
type Limits struct {
	Memory      int64 // bytes of the process; 0: budget.Default
	Connections int   // 0: 10000
	Spaces      int   // 0: 1000

	// Per space.
	Waits         int   // waiting calls; 0: 1,000,000
	Registrations int   // 0: 100,000
	Txns          int   // open transactions; 0: 1,000,000
	TxnEntries    int   // entries that one transaction may hold, and one call may write; 0: call.DefaultTxnEntries
	Kinds         int   // 0: 10,000
	KindEntries   int   // entries of one kind; 0: no limit
	KindBytes     int64 // bytes of the rows of one kind; 0: no limit

	Client ClientLimits

	Frame time.Duration // time for a frame to arrive; long frames get more; 0: 10 s
}

// ClientLimits bound the resources of one client. Beyond a limit, calls fail with space.ErrSpaceFull. Zero is the
// default; a negative number is no bound.
type ClientLimits struct {
	Waits         int // calls that wait; 0: 100,000
	Registrations int // in one space, with listeners of the client; 0: 10,000
	Txns          int // open transactions in one space; 0: 100,000
	Backups       int // 0: 2
}

// DefaultLimits returns the default Limits, except for Memory.
func DefaultLimits() Limits {
	var c server.ClientLimits
	c.SetDefaults()
	return Limits{
		Connections: 10_000, Spaces: 1000,
		Waits: 1_000_000, Registrations: 100_000, Txns: 1_000_000, TxnEntries: call.DefaultTxnEntries, Kinds: 10_000,
		Client: ClientLimits(c), Frame: 10 * time.Second,
	}
}

func (l *Limits) setDefaults() {
	d := DefaultLimits()
	l.Connections, l.Spaces = cmp.Or(l.Connections, d.Connections), cmp.Or(l.Spaces, d.Spaces)
	l.Waits, l.Registrations = cmp.Or(l.Waits, d.Waits), cmp.Or(l.Registrations, d.Registrations)
	l.Txns, l.TxnEntries, l.Kinds = cmp.Or(l.Txns, d.Txns), cmp.Or(l.TxnEntries, d.TxnEntries), cmp.Or(l.Kinds, d.Kinds)
	c := server.ClientLimits(l.Client)
	c.SetDefaults()
	l.Client = ClientLimits(c)
	l.Memory, l.Frame = cmp.Or(l.Memory, budget.Default()), cmp.Or(l.Frame, d.Frame)
}

// check validates the limits.
func (l *Limits) check() error {
	switch {
	case l.Connections < 0:
		return wrong("Limits.Connections", "is negative: there must be a limit")
	case l.Spaces < 0:
		return wrong("Limits.Spaces", "is negative: there must be a limit")
	case l.Kinds < 0 || l.Kinds > wire.MaxKinds:
		return wrong("Limits.Kinds", "is %d; it is 1 to %d", l.Kinds, wire.MaxKinds)
	case l.TxnEntries < 0:
		return wrong("Limits.TxnEntries", "is negative: there must be a limit")
	case l.Frame < 0:
		return wrong("Limits.Frame", "is negative")
	case l.Memory < 0:
		return nil
	}
	if budget.Check(l.Memory) != nil {
		return wrong("Limits.Memory", "is %d bytes; a server needs 64 MiB at least", l.Memory)
	}
	return nil
}

// bounds returns the limits of one space.
func (l *Limits) bounds() partition.Bounds {
	return partition.Bounds{
		Waiting: l.Waits, Registrations: l.Registrations, Txns: l.Txns, Kinds: l.Kinds, KindEntries: l.KindEntries,
		KindBytes: l.KindBytes,
	}
}
