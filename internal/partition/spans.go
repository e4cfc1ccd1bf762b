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

// Spans lets transactions span several partitions. A nil Spans belongs to a partition that shares no transactions. Its
// methods may be called concurrently; those of the embedded coordinator are for partitions and the node that starts
// them.
type Spans struct {
	*txn.Coordinator
	d    Directory
	gate gate
}

// Directory finds the partitions that transactions may span. Its methods may be called concurrently, and do not wait
// for a partition, except for Gone.
type Directory struct {
	Find func(a txn.Address) *Partition // that this process serves, or nil
	All  func() []txn.Address           // of those
	Far  func(a txn.Address) Peer       // that another process may serve, or nil; a nil Far: there are none
	// Gone is as in txn.Partitions. nil: no space with parts of transactions is ever dropped
	Gone func(ctx context.Context, a txn.Address) bool
}

// NewSpans returns the Spans of the partitions of a directory. A nil logger is silent. Close ends it.
func NewSpans(d Directory, logger *slog.Logger) *Spans {
	if d.Far == nil {
		d.Far = func(txn.Address) Peer { return nil }
	}
	return &Spans{d: d, Coordinator: txn.NewCoordinator(finder{d}, logger)}
}

// finder implements txn.Partitions.
type finder struct{ d Directory }

// At implements txn.Partitions.
func (f finder) At(a txn.Address) txn.Partition {
	if p := f.d.Find(a); p != nil {
		return p.Participant()
	}
	if far := f.d.Far(a); far != nil {
		return far
	}
	return nil
}

// Here implements txn.Partitions.
func (f finder) Here(a txn.Address) txn.Local {
	if p := f.d.Find(a); p != nil {
		return p.Participant()
	}
	return nil
}

// All implements txn.Partitions.
func (f finder) All() []txn.Address { return f.d.All() }

// Gone implements txn.Partitions.
func (f finder) Gone(ctx context.Context, a txn.Address) bool {
	return f.d.Gone != nil && f.d.Gone(ctx, a)
}

// find returns a partition that this process serves, or nil.
func (s *Spans) find(a txn.Address) *Partition { return s.d.Find(a) }

// far returns a partition that another process may serve, or nil.
func (s *Spans) far(a txn.Address) Peer {
	if s.find(a) != nil {
		return nil
	}
	return s.d.Far(a)
}

// Start completes what the logs of all partitions left unfinished, like Coordinator.Start. Outcomes that read-only
// partitions cannot log yet are visible all the same.
func (s *Spans) Start(ctx context.Context) {
	s.Coordinator.Start(ctx)
	for _, p := range s.all(s.d.All()) {
		p.followHomes()
	}
}

// Join prepares a partition other than the home of a transaction, which this process serves too, for calls under it. It
// does not wait. It returns call.ErrTxnEnded, call.ErrInvalidArgument if the home does not exist, and the error of a
// partition that does not serve.
func (s *Spans) Join(id txn.ID, at *Partition) error {
	err := s.Coordinator.Join(id, at.cfg.Address)
	if refusal := at.Err(); err != nil && refusal != nil {
		return refusal
	}
	return s.explain(id, err)
}

// Joined returns nil, or a function that waits until the log of a transaction's home knows that the transaction is
// volatile. Answers of other spaces under the transaction must wait for that: otherwise a restart of the home could
// keep the transaction with its takes there, and it could commit without the rest.
func (s *Spans) Joined(id txn.ID) (wait func(ctx context.Context) error) {
	home := s.find(id.Home())
	if home == nil || !home.pendingVolatile(id.Number) {
		return nil
	}
	return func(ctx context.Context) error { return home.awaitVolatile(ctx, id.Number) }
}

// commit is Commit for a transaction that may have branches.
func (s *Spans) commit(ctx context.Context, id txn.ID, at *Partition, by call.Request,
	drafts []call.Draft,
) (grants []call.Grant, err error) {
	if err := at.checkSize(drafts); err != nil {
		return nil, err // the transaction is still unchanged
	}
	if far := s.far(id.Home()); far != nil {
		return s.commitFar(ctx, id, at, far, drafts)
	}
	home := s.find(id.Home())
	if home == nil {
		return nil, s.noHome(id)
	}
	if err := s.gate.enter(ctx); err != nil {
		return nil, err
	}
	defer s.gate.leave()
	parts := txn.Addresses(home.Participant().Participants(id.Number))
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
		own, err := home.Decide(ctx, id.Number, by, drafts, parts, s.all(parts))
		grants = append(grants, own...)
		return err
	})
	if err != nil {
		return nil, s.explain(id, err)
	}
	return grants, nil
}

// roomToCommit returns call.ErrTooLarge if a transaction holds too much in all partitions together, or would with
// drafts written at one of them: their locks are held during the commit.
func roomToCommit(id txn.ID, ps []*Partition, at *Partition, drafts []call.Draft) error {
	sum, limit := 0, at.cfg.Limits.TxnEntries
	if !slices.Contains(ps, at) {
		sum = len(drafts)
	}
	for _, p := range ps {
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

// roomToWrite returns the number of entries that a transaction would hold here after writing drafts, or
// call.ErrTooLarge if it may not write them.
func (p *Partition) roomToWrite(id txn.ID, drafts []call.Draft) (entries int, err error) {
	if id.Home() == p.cfg.Address {
		id.Space = ""
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.e.RoomToWrite(id, drafts)
}

// all returns the partitions at some addresses that this process serves.
func (s *Spans) all(at []txn.Address) []*Partition {
	ps := make([]*Partition, 0, len(at))
	for _, a := range at {
		if p := s.find(a); p != nil {
			ps = append(ps, p)
		}
	}
	return ps
}

// rollback is Rollback for a transaction that may have branches. Identities say in which partition of its space an
// entry is to be kept.
func (s *Spans) rollback(ctx context.Context, id txn.ID, at txn.Address, keep []uint64) error {
	if far := s.far(id.Home()); far != nil {
		return far.RollbackTxn(ctx, id.Number, at, keep)
	}
	return s.explain(id, s.Coordinator.Rollback(ctx, id, func(ctx context.Context, a txn.Address) error {
		p := s.peer(a)
		var kept []uint64
		if a.Space == at.Space {
			kept = slices.DeleteFunc(slices.Clone(keep), func(e uint64) bool { return txn.PartitionOf(e) != a.Partition })
		}
		if p == nil {
			return fmt.Errorf("%w: no node serves partition %v", call.ErrUnavailable, a)
		}
		return p.RollbackPart(ctx, id, kept)
	}))
}

// Fate returns the fate of a transaction. It blocks until that is durable. It returns call.ErrInvalidArgument if the
// home does not exist, and the error of a home that does not serve.
func (s *Spans) Fate(ctx context.Context, id txn.ID) (fate call.Fate, err error) {
	home := s.peer(id.Home())
	if home == nil {
		return call.Unknown, s.noHome(id)
	}
	return home.Fate(ctx, id.Number)
}

// Cancelling announces that leases are about to be cancelled at a partition. Transactions with branches elsewhere are
// aborted first, so that nothing of them is left when the cancellation is answered. Branches in other processes learn
// of it a moment later. It does not wait.
func (s *Spans) Cancelling(at *Partition, leases []uint64) {
	for _, d := range at.spanning(leases) {
		for _, a := range d.Participants {
			if p := s.find(a); p != nil {
				p.Participant().Drop(txn.ID{Space: at.cfg.Address.Space, Number: d.Number})
			}
		}
	}
}

// noHome returns the error of a call under a transaction whose home this process does not serve.
func (s *Spans) noHome(id txn.ID) error {
	if s.d.Far(id.Home()) != nil { // it changes hands just now
		return &call.ElsewhereError{At: id.Home()}
	}
	return fmt.Errorf("%w: there is no space %q, in which transaction %v would have begun", call.ErrInvalidArgument,
		id.Space, id)
}

// explain translates an error of the coordinator for the caller.
func (s *Spans) explain(id txn.ID, err error) error {
	switch {
	case errors.Is(err, txn.ErrNoHome):
		return s.noHome(id)
	case errors.Is(err, txn.ErrCommitting), errors.Is(err, txn.ErrEnded):
		return call.ErrTxnEnded
	case errors.Is(err, txn.ErrAborted): // whatever the reason, the outcome is certain
		return fmt.Errorf("%w: %v", call.ErrTxnEnded, err)
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%w: the server is shutting down", call.ErrOutcomeUnknown)
	}
	return err
}
