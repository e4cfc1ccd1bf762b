package partition

import (
	"context"
	"errors"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/txn"
)

// Peer is a partition for the transactions of other processes. The rules of txn.Partition apply to all methods: they
// wait for the log, and may be repeated. They return call.ErrTxnEnded for a transaction that has ended, and the error
// of a partition that does not serve.
type Peer interface {
	txn.Partition

	// Enlist must be called before each call in a branch elsewhere under a transaction that began here.
	Enlist(ctx context.Context, number uint64, b txn.Branch) error
	// CommitTxn, AbortTxn and RollbackTxn end, or undo, a transaction that began here, in all its partitions. A rollback
	// leaves the takes, in the partition at an address, of the entries in keep. After an error of CommitTxn other than
	// call.ErrTxnEnded the outcome is not known, and Fate tells it. Called again, CommitTxn and AbortTxn return
	// call.ErrTxnEnded.
	CommitTxn(ctx context.Context, number uint64) error
	AbortTxn(ctx context.Context, number uint64) error
	RollbackTxn(ctx context.Context, number uint64, at txn.Address, keep []uint64) error
	// Fate returns the fate of a transaction that began here.
	Fate(ctx context.Context, number uint64) (call.Fate, error)

	// RollbackPart undoes what was done here under a transaction, except for the takes of the entries in keep.
	RollbackPart(ctx context.Context, id txn.ID, keep []uint64) error

	// Time returns the time of the space, in nanoseconds since the Unix epoch.
	Time(ctx context.Context) (int64, error)

	// Retire must be called before the space is dropped. It returns Partition.Highest, or an error that wraps
	// call.ErrInvalidArgument while transactions over several spaces have parts here. It changes nothing.
	Retire(ctx context.Context) (highest uint64, err error)
}

// Peer returns the partition as other processes ask it.
func (h *Host) Peer() Peer { return served{h.Participant(), h} }

// peer returns a partition, wherever it is served; nil if that is unknown.
func (s *Spans) peer(a txn.Address) Peer {
	if p := s.find(a); p != nil {
		return s.Host(p).Peer()
	}
	return s.d.Far(a)
}

// served is a partition of this process as a Peer.
type served struct {
	txn.Partition
	h *Host
}

// id returns the ID of a transaction that began here.
func (s served) id(number uint64) txn.ID { return txn.ID{Space: s.h.cfg.Address.Space, Number: number} }

// Enlist implements Peer.
func (s served) Enlist(ctx context.Context, number uint64, b txn.Branch) error {
	id := s.id(number)
	err := s.h.spans.Coordinator.Enlist(id, b)
	if refusal := s.h.Err(); err != nil && refusal != nil {
		return refusal
	}
	if err != nil {
		return s.h.spans.explain(id, err)
	}
	// A primary that is being replaced must not answer before its log has the record that makes the transaction volatile.
	return s.h.await(ctx, func(now int64) call.Result { return s.h.e.Enlist(now, number, b) }, nil)
}

// CommitTxn implements Peer.
func (s served) CommitTxn(ctx context.Context, number uint64) error {
	if err := s.h.Err(); err != nil {
		return err
	}
	_, err := s.h.spans.commit(ctx, s.id(number), s.h.Partition, call.Request{}, nil)
	return err
}

// AbortTxn implements Peer.
func (s served) AbortTxn(ctx context.Context, number uint64) error {
	if err := s.h.Err(); err != nil {
		return err
	}
	return s.h.spans.abort(ctx, s.id(number))
}

// RollbackTxn implements Peer.
func (s served) RollbackTxn(ctx context.Context, number uint64, at txn.Address, keep []uint64) error {
	if err := s.h.Err(); err != nil {
		return err
	}
	return s.h.spans.rollback(ctx, s.id(number), at, keep)
}

// Fate implements Peer.
func (s served) Fate(ctx context.Context, number uint64) (fate call.Fate, err error) {
	err = s.h.await(ctx, func(now int64) call.Result { return s.h.e.TxnFate(now, number) },
		func(r *call.Result) { fate = r.Fate })
	return fate, err
}

// RollbackPart implements Peer.
func (s served) RollbackPart(ctx context.Context, id txn.ID, keep []uint64) error {
	if id.Home() == s.h.cfg.Address {
		id.Space = ""
	}
	return s.h.rollbackWait(ctx, id, keep)
}

// Time implements Peer.
func (s served) Time(context.Context) (int64, error) {
	if err := s.h.Err(); err != nil {
		return 0, err
	}
	s.h.mu.Lock()
	defer s.h.mu.Unlock()
	return s.h.clock.now(), nil
}

// Retire implements Peer.
func (s served) Retire(ctx context.Context) (highest uint64, err error) {
	err = s.h.await(ctx, func(int64) call.Result { return call.Result{Err: s.h.noParts(), Depends: s.h.e.LSN()} },
		func(*call.Result) { highest = s.h.e.Highest() })
	return highest, err
}

// joinFar is Host.Join for a transaction whose home another process serves.
func (s *Spans) joinFar(id txn.ID, at *Partition, home Peer) (wait func(context.Context) error, err error) {
	host := at.Participant()
	made, err := host.Join(id)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		err := home.Enlist(ctx, id.Number, txn.Branch{At: at.cfg.Address, Incarnation: made})
		if errors.Is(err, call.ErrTxnEnded) {
			host.Drop(id) // the caller finds no trace of it
		}
		return err
	}, nil
}

// commitFar is commit for a transaction whose home another process serves.
func (s *Spans) commitFar(ctx context.Context, id txn.ID, at *Partition, home Peer, drafts []call.Draft,
) (grants []call.Grant, err error) {
	if err := admitSpan([]*Partition{at}); err != nil {
		return nil, err
	}
	if len(drafts) > 0 {
		wait, err := s.joinFar(id, at, home)
		if err == nil {
			err = wait(ctx)
		}
		if err == nil {
			_, err = at.roomToWrite(id, drafts)
		}
		if err == nil {
			grants, err = at.writeWait(ctx, id, drafts)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := home.CommitTxn(ctx, id.Number); err != nil {
		return nil, err
	}
	return grants, nil
}

// abort is Abort for a transaction that may have branches.
func (s *Spans) abort(ctx context.Context, id txn.ID) error {
	if far := s.far(id.Home()); far != nil {
		return far.AbortTxn(ctx, id.Number)
	}
	return s.explain(id, s.Coordinator.Abort(ctx, id))
}
