package partition

import (
	"context"
	"fmt"
	"slices"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/engine"
	"github.com/gospaces/gospaces/txn"
)

// Coordinator is told of transactions that span partitions. Its methods, except Committed, neither wait nor call a
// partition: they may be called with a partition's lock held.
type Coordinator interface {
	// Dissolved reports that a transaction with branches elsewhere was aborted in its home.
	Dissolved(home txn.Address, d txn.Decision)
	// Doomed reports that a branch ended before its transaction, which therefore cannot commit.
	Doomed(id txn.ID)
	// Recovered reports that the partition serves again after its log failed and was read again.
	Recovered(at txn.Address)
	// Committed reports whether a transaction was committed, as far as its home knows. It calls the home, and waits while
	// the home reads its log, until ctx ends.
	Committed(ctx context.Context, id txn.ID) bool
}

var _ Coordinator = (*txn.Coordinator)(nil)

// tellCoordinator passes the effects of the engine's last call to the coordinator.
func (p *Partition) tellCoordinator() {
	if p.cfg.Txns == nil {
		return
	}
	for _, d := range p.e.Dissolved {
		p.cfg.Txns.Dissolved(p.cfg.Address, txn.Decision(d))
	}
	for _, id := range p.e.Doomed {
		p.cfg.Txns.Doomed(id)
	}
}

// Participant returns the partition as a participant of transactions over several partitions.
func (p *Partition) Participant() txn.Local { return participant{p} }

// participant turns the engine's steps of two-phase commit into calls that return when they are durable.
type participant struct{ p *Partition }

// errNoLease is returned by now for a partition that may not be the primary any more.
var errNoLease = fmt.Errorf("%w: it is not certain that the partition is still served here", call.ErrNotReady)

// now runs a call of the engine whose outcome needs no log. An error needs a lease, since the client may be told of it.
func (s participant) now(op func(now int64) call.Result) error {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	if s.p.err != nil {
		return s.p.refusal()
	}
	err := op(s.p.clock.now()).Err
	if err != nil && s.p.underLease(0) > 0 {
		err = errNoLease
	}
	s.p.finish()
	return err
}

// look runs a function that only reads the engine, unless the partition does not serve.
func (s participant) look(at func(e *engine.Engine)) {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	if s.p.err == nil {
		at(s.p.e)
	}
}

// Enlist implements txn.Home.
func (s participant) Enlist(number uint64, b txn.Branch) error {
	return s.now(func(now int64) call.Result { return s.p.e.Enlist(now, number, b) })
}

// Participants implements txn.Home.
func (s participant) Participants(number uint64) (bs []txn.Branch) {
	s.look(func(e *engine.Engine) { bs = e.Participants(number) })
	return bs
}

// Alive implements txn.Home.
func (s participant) Alive(number uint64) bool {
	return s.now(func(now int64) call.Result { return s.p.e.Alive(now, number) }) == nil
}

// Dissolve implements txn.Partition.
func (s participant) Dissolve(ctx context.Context, number uint64) error {
	return s.p.await(ctx, func(now int64) call.Result { return s.p.e.Abort(now, txn.ID{Number: number}) }, nil)
}

// Outcome implements txn.Partition. Unless the partition is the primary, only a commit is certain.
func (s participant) Outcome(ctx context.Context, number uint64) (o txn.Outcome, err error) {
	if decided, _ := s.p.logged(number); decided {
		return txn.Committed, nil
	}
	err = s.p.await(ctx, func(now int64) call.Result { return s.p.e.Outcome(now, number) },
		func(r *call.Result) { o = txn.Outcome(r.Count) })
	return o, err
}

// Decided implements txn.Home.
func (s participant) Decided(ctx context.Context, number uint64) (bool, error) {
	for {
		o, err := s.Outcome(ctx, number)
		if err == nil {
			return o == txn.Committed, nil
		}
		if decided, known := s.p.logged(number); known {
			return decided, nil
		}
		if !s.p.rest(lookAtHome) || ctx.Err() != nil {
			return false, err
		}
	}
}

// Forget implements txn.Home.
func (s participant) Forget(ctx context.Context, number uint64) error {
	return s.p.await(ctx, func(now int64) call.Result { return s.p.e.Forget(now, number) }, nil)
}

// Decisions implements txn.Home.
func (s participant) Decisions() (ds []txn.Decision) {
	s.look(func(e *engine.Engine) {
		for _, d := range e.Decisions() {
			ds = append(ds, txn.Decision(d))
		}
	})
	return ds
}

// HasBranch implements txn.Host.
func (s participant) HasBranch(id txn.ID) (has bool) {
	s.look(func(e *engine.Engine) { has = e.HasBranch(id) })
	return has
}

// Join implements txn.Host.
func (s participant) Join(id txn.ID) (made txn.Incarnation, err error) {
	err = s.now(func(now int64) call.Result {
		r := s.p.e.Join(now, id)
		made = txn.Incarnation{Epoch: s.p.epoch, Number: uint64(r.Count)}
		return r
	})
	return made, err
}

// Drop implements txn.Host.
func (s participant) Drop(id txn.ID) {
	_ = s.now(func(now int64) call.Result { return s.p.e.DropBranch(now, id) })
}

// Prepare implements txn.Partition. A prepared branch outlives the epoch in which it was made.
func (s participant) Prepare(ctx context.Context, id txn.ID, of txn.Incarnation) (prepared bool, err error) {
	err = s.p.await(ctx, func(now int64) call.Result {
		if of.Epoch != s.p.epoch && !s.p.e.HasPrepared(id) {
			return call.Result{Err: engine.ErrNoBranch}
		}
		return s.p.e.Prepare(now, id, of.Number)
	}, func(r *call.Result) { prepared = r.Count > 0 })
	return prepared, err
}

// Commit implements txn.Partition.
func (s participant) Commit(ctx context.Context, id txn.ID) error {
	return s.p.await(ctx, func(now int64) call.Result { return s.p.e.CommitBranch(now, id) }, nil)
}

// Abort implements txn.Partition.
func (s participant) Abort(ctx context.Context, id txn.ID) error {
	return s.p.await(ctx, func(now int64) call.Result { return s.p.e.AbortBranch(now, id) }, nil)
}

// Branches implements txn.Host.
func (s participant) Branches() (ids []txn.ID) {
	s.look(func(e *engine.Engine) { ids = e.Branches() })
	return ids
}

// Prepared implements txn.Host.
func (s participant) Prepared() (ids []txn.ID) {
	s.look(func(e *engine.Engine) { ids = e.Prepared() })
	return ids
}

// rollbackWait is Rollback for a goroutine that waits.
func (p *Partition) rollbackWait(ctx context.Context, id txn.ID, keep []uint64) error {
	return p.await(ctx, func(now int64) call.Result { return p.e.Rollback(now, id, keep) }, nil)
}

// writeWait is Write under a transaction for a goroutine that waits. The size of drafts was checked.
func (p *Partition) writeWait(ctx context.Context, under txn.ID, drafts []call.Draft) (grants []call.Grant, err error) {
	err = p.await(ctx, func(now int64) call.Result { return p.e.Write(now, under, call.Request{}, drafts) },
		func(r *call.Result) { grants = slices.Clone(r.Grants) })
	return grants, err
}
