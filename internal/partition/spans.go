package partition

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/txn"
)

// Spans lets transactions span several partitions. The nil Spans is that of a partition which shares transactions with
// no other. Its methods may be called concurrently; those of the coordinator that it embeds are for partitions and
// the node that starts them.
type Spans struct {
	*txn.Coordinator
	find      func(a txn.Address) *Partition
	addresses func() []txn.Address
}

// Directory knows the partitions that transactions may span. Its methods may be called concurrently, and do not wait for
// a partition. Find returns nil for an address without a partition; Gone is as in txn.Partitions.
type Directory struct {
	Find func(a txn.Address) *Partition
	All  func() []txn.Address
	Gone func(a txn.Address) bool // nil: no space is ever dropped with parts of transactions
}

// NewSpans returns the Spans of the partitions of a directory. A nil logger is silent. Close ends it.
func NewSpans(d Directory, logger *slog.Logger) *Spans {
	return &Spans{find: d.Find, addresses: d.All, Coordinator: txn.NewCoordinator(finder{d}, logger)}
}

// finder implements txn.Partitions.
type finder struct{ d Directory }

// At implements txn.Partitions.
func (f finder) At(a txn.Address) txn.Partition {
	if p := f.d.Find(a); p != nil {
		return p.Participant()
	}
	return nil
}

// All implements txn.Partitions.
func (f finder) All() []txn.Address { return f.d.All() }

// Gone implements txn.Partitions.
func (f finder) Gone(a txn.Address) bool { return f.d.Gone != nil && f.d.Gone(a) }

// Start brings what the logs of all partitions left unfinished to an end, as Coordinator.Start does. What that cannot
// log yet, in partitions that are served for reading, is seen all the same.
func (s *Spans) Start(ctx context.Context) {
	s.Coordinator.Start(ctx)
	for _, p := range s.all(s.addresses()) {
		if p != nil {
			p.followHomes()
		}
	}
}

// Join prepares a partition that is not the home of a transaction for calls under it. It does not wait. It returns
// call.ErrTxnEnded, and call.ErrInvalidArgument if there is no such home.
func (s *Spans) Join(id txn.ID, at *Partition) error {
	return explain(id, s.Coordinator.Join(id, at.cfg.Address))
}

// Joined returns nil or, if what is done under a transaction in other spaces must not be answered before, what waits until the log of its home knows
// that it does not outlast a restart: with what it has taken at home, and without the rest, it could be committed then.
func (s *Spans) Joined(id txn.ID) (wait func(ctx context.Context) error) {
	home := s.find(id.Home())
	if home == nil || !home.pendingVolatile(id.Number) {
		return nil
	}
	return func(ctx context.Context) error { return home.awaitVolatile(ctx, id.Number) }
}

// commit is Commit of a transaction that may have branches.
func (s *Spans) commit(ctx context.Context, id txn.ID, at *Partition, by call.Request,
	drafts []call.Draft,
) (grants []call.Grant, err error) {
	home := s.find(id.Home())
	if home == nil {
		return nil, noHome(id)
	}
	if err := at.checkSize(drafts); err != nil {
		return nil, err // while the transaction is still as it was
	}
	parts := home.Participant().Participants(id.Number)
	if err := roomToCommit(id, append(s.all(parts), home), at, drafts); err != nil {
		return nil, err
	}
	if err := admitSpan(append(s.all(parts), home, at)); err != nil {
		return nil, err
	}
	if home != at && len(drafts) > 0 {
		if err := s.Join(id, at); err != nil {
			return nil, err
		}
		if grants, err = at.writeWait(ctx, id, drafts); err != nil {
			return nil, err
		}
		drafts = nil
	}
	err = s.Coordinator.Commit(ctx, id, func(ctx context.Context, parts []txn.Address) error {
		own, err := home.Decide(ctx, id.Number, by, drafts, s.all(parts))
		grants = append(grants, own...)
		return err
	})
	if err != nil {
		return nil, explain(id, err)
	}
	return grants, nil
}

// roomToCommit returns call.ErrTooLarge if a transaction holds too much in all partitions together, whose locks are
// held while it is committed, or would if drafts were written at one of them.
func roomToCommit(id txn.ID, ps []*Partition, at *Partition, drafts []call.Draft) error {
	sum, limit := 0, at.cfg.Limits.TxnEntries
	if !slices.Contains(ps, at) {
		sum = len(drafts)
	}
	for _, p := range ps {
		if p == nil {
			continue // Commit tells
		}
		var more []call.Draft
		if p == at {
			more = drafts
		}
		n, err := p.roomToWrite(id, more)
		if sum += n; err != nil {
			return err
		}
	}
	if sum > limit {
		return call.TooManyEntries(sum, limit)
	}
	return nil
}

// roomToWrite returns call.ErrTooLarge if a transaction may not write drafts here as well, and otherwise how many
// entries it would hold here.
func (p *Partition) roomToWrite(id txn.ID, drafts []call.Draft) (entries int, err error) {
	if id.Home() == p.cfg.Address {
		id.Space = ""
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.e.RoomToWrite(id, drafts)
}

// all returns the partitions at some addresses.
func (s *Spans) all(at []txn.Address) []*Partition {
	ps := make([]*Partition, len(at))
	for i, a := range at {
		ps[i] = s.find(a)
	}
	return ps
}

// rollback is Rollback of a transaction that may have branches.
func (s *Spans) rollback(ctx context.Context, id txn.ID, at *Partition, keep []uint64) error {
	return explain(id, s.Coordinator.Rollback(ctx, id, func(ctx context.Context, a txn.Address) error {
		p, local, kept := s.find(a), id, keep
		if a == id.Home() {
			local.Space = ""
		}
		if p != at {
			kept = nil
		}
		return p.rollbackWait(ctx, local, kept)
	}))
}

// Fate tells what has become of a transaction. It blocks until that is durable. It returns call.ErrInvalidArgument if
// the transaction's home does not exist, and the error of a home that does not serve.
func (s *Spans) Fate(ctx context.Context, id txn.ID) (fate call.Fate, err error) {
	home := s.find(id.Home())
	if home == nil {
		return call.Unknown, noHome(id)
	}
	err = home.await(ctx, func(now int64) call.Result { return home.e.TxnFate(now, id.Number) },
		func(r *call.Result) { fate = r.Fate })
	return fate, err
}

// Cancelling tells that leases are about to be cancelled at a partition. Some may be those of transactions with branches elsewhere, which are aborted
// before, so that nothing is left of them when the cancellation is answered. It does not wait.
func (s *Spans) Cancelling(at *Partition, leases []uint64) {
	for _, d := range at.spanning(leases) {
		for _, a := range d.Participants {
			if p := s.find(a); p != nil {
				p.Participant().Drop(txn.ID{Space: at.cfg.Address.Space, Number: d.Number})
			}
		}
	}
}

func noHome(id txn.ID) error {
	return fmt.Errorf("%w: there is no space %q, in which transaction %v would have begun", call.ErrInvalidArgument,
		id.Space, id)
}

// explain returns what a caller is told of an error of the coordinator.
func explain(id txn.ID, err error) error {
	switch {
	case errors.Is(err, txn.ErrNoHome):
		return noHome(id)
	case errors.Is(err, txn.ErrCommitting), errors.Is(err, txn.ErrEnded):
		return call.ErrTxnEnded
	case errors.Is(err, txn.ErrAborted): // whatever the reason was, the outcome is certain
		return fmt.Errorf("%w: %v", call.ErrTxnEnded, err)
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%w: the server is shutting down", call.ErrOutcomeUnknown)
	}
	return err
}
