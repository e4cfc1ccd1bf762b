package partition

import (
	"cmp"
	"context"
	"fmt"

	"github.com/gospaces/gospaces/internal/budget"
	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/txn"
)

// Host is a partition under its address, with the transactions that it shares with others. Its methods may be called
// concurrently.
type Host struct {
	*Partition
	spans *Spans
}

// Host returns the host of a partition whose transactions may span the others.
func (s *Spans) Host(p *Partition) *Host { return &Host{p, s} }

// Alone returns the host of a partition that shares transactions with no other.
func Alone(p *Partition) *Host {
	find := func(a txn.Address) *Partition {
		if a == p.cfg.Address {
			return p
		}
		return nil
	}
	all := func() []txn.Address { return []txn.Address{p.cfg.Address} }
	return NewSpans(Directory{Find: find, All: all}, p.cfg.Logger).Host(p)
}

// NewAbsent returns the host of all spaces that do not exist: an empty partition, which must not be changed. Calls find
// nothing there, and may wait there. The caller closes it.
func NewAbsent(b *budget.Budget) (*Host, error) {
	h := Alone(New(Config{Budget: b}))
	return h, h.Start(context.Background(), nil)
}

// Do makes the call that a describes, unless others answer it (a snapshot, a list of registrations). c is told the
// outcome, or else the rest of the call is returned, which returns the outcome. Do does not block.
func (h *Host) Do(c Caller, callID uint64, a *call.Ask) call.Rest {
	return rules[a.Op](h, c, callID, a)
}

// rules are what is done for each operation.
var rules = [...]func(h *Host, c Caller, callID uint64, a *call.Ask) call.Rest{
	call.OpRegister: func(h *Host, c Caller, callID uint64, a *call.Ask) call.Rest {
		h.Register(c, callID, a.Schema)
		return nil
	},
	call.OpSchema: func(h *Host, c Caller, callID uint64, a *call.Ask) call.Rest {
		h.Describe(c, callID, a.Name)
		return nil
	},
	call.OpWrite: func(h *Host, c Caller, callID uint64, a *call.Ask) call.Rest {
		h.Write(c, callID, a.Txn, a.By, a.Drafts)
		return nil
	},
	call.OpUpdate: func(h *Host, c Caller, callID uint64, a *call.Ask) call.Rest {
		h.Update(c, callID, a.Txn, a.By, a.Change)
		return nil
	},
	call.OpFind: func(h *Host, c Caller, callID uint64, a *call.Ask) call.Rest {
		h.Find(c, callID, a.Query, a.Wait)
		return nil
	},
	call.OpCount: func(h *Host, c Caller, callID uint64, a *call.Ask) call.Rest {
		h.Count(c, callID, a.Query)
		return nil
	},
	call.OpContents: func(h *Host, c Caller, callID uint64, a *call.Ask) call.Rest {
		h.Contents(c, callID, a.Query, a.Cursor)
		return nil
	},
	call.OpNotify: func(h *Host, c Caller, callID uint64, a *call.Ask) call.Rest {
		h.Notify(c, callID, a.Query, a.On, a.Lease)
		return nil
	},
	call.OpAttach: func(h *Host, c Caller, callID uint64, a *call.Ask) call.Rest {
		h.Attach(c, callID, a.ID, a.Seq)
		return nil
	},
	call.OpAcknowledge: func(h *Host, _ Caller, _ uint64, a *call.Ask) call.Rest {
		h.Acknowledge(a.ID, a.Seq)
		return nil
	},
	call.OpRenew: func(h *Host, c Caller, callID uint64, a *call.Ask) call.Rest {
		h.Renew(c, callID, a.By, a.Lease, a.IDs)
		return nil
	},
	call.OpCancel: func(h *Host, c Caller, callID uint64, a *call.Ask) call.Rest {
		h.spans.Cancelling(h.Partition, a.IDs)
		h.Cancel(c, callID, a.By, a.IDs)
		return nil
	},
	call.OpKinds: func(h *Host, c Caller, callID uint64, _ *call.Ask) call.Rest {
		h.Kinds(c, callID)
		return nil
	},
	call.OpDrop: func(h *Host, c Caller, callID uint64, a *call.Ask) call.Rest {
		h.Drop(c, callID, a.Name)
		return nil
	},
	call.OpBeginTxn: func(h *Host, c Caller, callID uint64, a *call.Ask) call.Rest {
		h.BeginTxn(c, callID, a.Lease, a.By, a.Holder)
		return nil
	},
	call.OpCommit: func(h *Host, c Caller, callID uint64, a *call.Ask) call.Rest {
		return h.spans.Commit(c, callID, a.Txn, h.Partition, a.By, a.Drafts).rest()
	},
	call.OpAbort: func(h *Host, c Caller, callID uint64, a *call.Ask) call.Rest {
		return h.spans.Abort(c, callID, a.Txn, h.Partition).rest()
	},
	call.OpRollback: func(h *Host, c Caller, callID uint64, a *call.Ask) call.Rest {
		return h.spans.Rollback(c, callID, a.Txn, h.Partition, a.IDs).rest()
	},
	call.OpDefer: func(h *Host, c Caller, callID uint64, a *call.Ask) call.Rest {
		h.Defer(c, callID, a.Txn, a.ID, a.Delay)
		return nil
	},
	call.OpOutcome: (*Host).outcome,
	call.OpRelease: func(h *Host, _ Caller, _ uint64, a *call.Ask) call.Rest {
		h.Release(a.ID)
		return nil
	},
}

// rest returns what is left of a call in the terms of package call.
func (s Span) rest() call.Rest {
	if s == nil {
		return nil
	}
	return func(ctx context.Context) call.Result {
		grants, err := s(ctx)
		return call.Result{Grants: grants, Err: err}
	}
}

// outcome tells what has become of a call on the partition or, if no session is named, of a transaction, perhaps one
// that has begun elsewhere.
func (h *Host) outcome(c Caller, callID uint64, a *call.Ask) call.Rest {
	id := a.Txn
	switch at := h.cfg.Address; {
	case a.Session == 0 && id.Space == "":
		h.TxnFate(c, callID, id.Number)
	case a.Session == 0:
		return func(ctx context.Context) call.Result {
			fate, err := h.spans.Fate(ctx, id)
			return call.Result{Fate: fate, Err: err}
		}
	case id.Space != "" || txn.PartitionOf(a.Session) != at.Partition:
		made := txn.Address{Space: cmp.Or(id.Space, at.Space), Partition: txn.PartitionOf(a.Session)}
		c.Reply(callID, &call.Result{
			Err: fmt.Errorf("%w: the call was made in %v: ask there", call.ErrInvalidArgument, made),
		}, 0, true)
	default:
		h.CallFate(c, callID, call.Request{Session: a.Session, Number: id.Number})
	}
	return nil
}

// Join prepares the partition for calls under a transaction that has begun in another one. Before such a call is made,
// wait must have returned nil if it is not nil. Join does not wait. It, or wait, returns call.ErrTxnEnded, or
// call.ErrInvalidArgument if there is no such home.
func (h *Host) Join(id txn.ID) (wait func(context.Context) error, err error) {
	if far := h.spans.far(id.Home()); far != nil {
		return h.spans.joinFar(id, h.Partition, far)
	}
	if err := h.spans.Join(id, h.Partition); err != nil {
		return nil, err
	}
	return h.spans.Joined(id), nil
}

// LoseTxn ends a transaction that began here and whose client has gone: after a goodbye that is an abort, and otherwise
// it counts as an attempt of what the transaction has taken.
func (h *Host) LoseTxn(number uint64, goodbye bool) {
	if goodbye {
		h.Abort(unheard{}, 0, txn.ID{Number: number})
	} else {
		h.Lose(unheard{}, 0, number)
	}
}

// unheard is a Caller that has gone.
type unheard struct{}

func (unheard) Reply(uint64, *call.Result, LSN, bool) {}
func (unheard) Event(*Event, LSN, bool) bool          { return false }
func (unheard) Durable(LSN)                           {}
func (unheard) Lost(error)                            {}
