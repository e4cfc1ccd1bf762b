package node

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/gospaces/gospaces/internal/budget"
	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/internal/server"
	"github.com/gospaces/gospaces/internal/wire"
)

// Limits bound what a server holds, so that no client can end it. Zero is the default; a negative number is no bound, where there can be none.
type Limits struct {
	Memory      int64 // bytes of the process; 0: what budget.Default returns
	Connections int   // 0: 10000
	Spaces      int   // 0: 1000

	// Of one space.
	Waits         int   // calls that wait; 0: 1,000,000
	Registrations int   // 0: 100,000
	Txns          int   // open transactions; 0: 1,000,000
	TxnEntries    int   // that one transaction may hold, and one write have; 0: call.DefaultTxnEntries
	Kinds         int   // 0: 10,000
	KindEntries   int   // entries of one kind; 0: no bound
	KindBytes     int64 // of the rows of one kind; 0: no bound

	Client server.ClientLimits

	Frame time.Duration // in which a frame must have arrived, but for more if it is long; 0: 10 s
}

// DefaultLimits returns what Limits are if nothing else is said, but for Memory.
func DefaultLimits() Limits {
	var c server.ClientLimits
	c.SetDefaults()
	return Limits{
		Connections: 10_000, Spaces: 1000,
		Waits: 1_000_000, Registrations: 100_000, Txns: 1_000_000, TxnEntries: call.DefaultTxnEntries, Kinds: 10_000,
		Client: c, Frame: 10 * time.Second,
	}
}

func (l *Limits) setDefaults() {
	d := DefaultLimits()
	l.Connections, l.Spaces = cmp.Or(l.Connections, d.Connections), cmp.Or(l.Spaces, d.Spaces)
	l.Waits, l.Registrations = cmp.Or(l.Waits, d.Waits), cmp.Or(l.Registrations, d.Registrations)
	l.Txns, l.TxnEntries, l.Kinds = cmp.Or(l.Txns, d.Txns), cmp.Or(l.TxnEntries, d.TxnEntries), cmp.Or(l.Kinds, d.Kinds)
	l.Client.SetDefaults()
	l.Memory, l.Frame = cmp.Or(l.Memory, budget.Default()), cmp.Or(l.Frame, d.Frame)
}

// check returns what is wrong with the limits.
func (l *Limits) check() error {
	switch {
	case l.Connections < 0 || l.Spaces < 0:
		return errors.New("there must be a limit for connections, and one for spaces")
	case l.Kinds < 0 || l.Kinds > wire.MaxKinds:
		return fmt.Errorf("there may be %d kinds in a space at most", wire.MaxKinds)
	case l.TxnEntries < 0:
		return errors.New("there must be a limit for the entries of a transaction")
	case l.Frame < 0:
		return errors.New("the time in which a frame must arrive is negative")
	case l.Memory < 0:
		return nil
	}
	return budget.Check(l.Memory)
}

// bounds are the limits of one space.
func (l *Limits) bounds() partition.Bounds {
	return partition.Bounds{
		Waiting: l.Waits, Registrations: l.Registrations, Txns: l.Txns, Kinds: l.Kinds, KindEntries: l.KindEntries, KindBytes: l.KindBytes,
	}
}
