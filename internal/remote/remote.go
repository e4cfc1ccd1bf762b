// Package remote asks partitions that other nodes serve for their steps of transactions, and for the time of the space,
// over core NATS.
//
// Each partition has a subject on which only its primary answers. A message may be lost, come twice, or late, and be
// answered by a primary that is being replaced: partition.Peer says what that does. So a step is asked for again until
// there is an answer.
package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/gospaces/gospaces/internal/backoff"
	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/txn"
)

const (
	// askTimeout is how long one message may be without an answer until it is sent again.
	askTimeout = 500 * time.Millisecond
	// quickly is how long a step is asked for that is tried again later anyway.
	quickly = 500 * time.Millisecond
	// patiently is how long a step is asked for without which a transaction cannot go on: longer than a partition is
	// usually without a primary.
	patiently = 5 * time.Second
)

// Steps that can be asked for.
type step uint8

const (
	dissolve step = iota
	outcome
	prepare
	commit
	abort
	enlist
	commitTxn
	abortTxn
	rollbackTxn
	fate
	rollbackPart
	retire
	timeOf
)

// request asks for a step. Which fields are set depends on the step.
type request struct {
	Step   step            `json:"step"`
	ID     txn.ID          `json:"id"` // of the transaction
	Branch txn.Incarnation `json:"branch"`
	At     txn.Address     `json:"at"`
	Keep   []uint64        `json:"keep,omitempty"`
}

// answer is the answer to a request.
type answer struct {
	Value int    `json:"value,omitempty"`
	Error []byte `json:"error,omitempty"` // as package wire has errors; empty: none
	Again bool   `json:"again,omitempty"` // the step may succeed if it is asked for again
}

// subject is where the primary of a partition is asked. Names of spaces have no dots.
func subject(at txn.Address) string { return fmt.Sprintf("gs.txn.%s.%d", at.Space, at.Partition) }

// Served is a partition that answers other nodes.
type Served struct {
	sub     *nats.Subscription
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// Serve makes a partition, which is the primary, answer other nodes, until Close.
func Serve(conn *nats.Conn, at txn.Address, p partition.Peer) (*Served, error) {
	ctx, cancel := context.WithCancel(context.Background())
	s := &Served{cancel: cancel}
	sub, err := conn.Subscribe(subject(at), func(m *nats.Msg) {
		s.running.Go(func() { serve(ctx, m, p) })
	})
	if err != nil {
		cancel()
		return nil, err
	}
	s.sub = sub
	return s, nil
}

// Close ends the answers. It waits for those under way, which it cancels.
func (s *Served) Close() {
	closed := make(chan struct{})
	s.sub.SetClosedHandler(func(string) { close(closed) })
	if s.sub.Drain() == nil { // no handler runs, or will, once it is closed
		<-closed
	}
	s.cancel()
	s.running.Wait()
}

// serve answers one request.
func serve(ctx context.Context, m *nats.Msg, p partition.Peer) {
	var r request
	a := answer{}
	err := json.Unmarshal(m.Data, &r)
	if err == nil {
		a.Value, err = r.do(ctx, p)
	}
	if err != nil {
		a.Error, a.Again = wire.AppendError(nil, err), again(err)
	}
	body, err := json.Marshal(a)
	if err == nil {
		_ = m.Respond(body) // the other node asks again
	}
}

// do takes a step.
func (r *request) do(ctx context.Context, p partition.Peer) (value int, err error) {
	switch r.Step {
	case dissolve:
		return 0, p.Dissolve(ctx, r.ID.Number)
	case outcome:
		o, err := p.Outcome(ctx, r.ID.Number)
		return int(o), err
	case prepare:
		prepared, err := p.Prepare(ctx, r.ID, r.Branch)
		if prepared {
			value = 1
		}
		return value, err
	case commit:
		return 0, p.Commit(ctx, r.ID)
	case abort:
		return 0, p.Abort(ctx, r.ID)
	case enlist:
		return 0, p.Enlist(ctx, r.ID.Number, txn.Branch{At: r.At, Incarnation: r.Branch})
	case commitTxn:
		return 0, p.CommitTxn(ctx, r.ID.Number)
	case abortTxn:
		return 0, p.AbortTxn(ctx, r.ID.Number)
	case rollbackTxn:
		return 0, p.RollbackTxn(ctx, r.ID.Number, r.At, r.Keep)
	case fate:
		f, err := p.Fate(ctx, r.ID.Number)
		return int(f), err
	case rollbackPart:
		return 0, p.RollbackPart(ctx, r.ID, r.Keep)
	case retire:
		n, err := p.Retire(ctx)
		return int(n), err
	case timeOf:
		now, err := p.Time(ctx)
		return int(now), err
	}
	return 0, fmt.Errorf("%w: unknown step %d of a transaction", call.ErrInvalidArgument, r.Step)
}

// again reports whether a step that failed with err may succeed at another time, or at another primary.
func again(err error) bool {
	return errors.Is(err, call.ErrUnavailable) || errors.Is(err, call.ErrOutcomeUnknown) ||
		errors.Is(err, call.ErrClosed) || errors.Is(err, context.Canceled)
}

// Peer is a partition that another node serves.
type Peer struct {
	conn *nats.Conn
	at   txn.Address
}

var _ partition.Peer = Peer{}

// New returns the partition at an address, whichever node serves it.
func New(conn *nats.Conn, at txn.Address) Peer { return Peer{conn, at} }

// ask asks for a step until there is an answer, or a time is over. It then returns call.ErrUnavailable: whether the
// step was taken, or will be, is not known.
func (p Peer) ask(ctx context.Context, r request, atMost time.Duration) (value int, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, atMost, errSilent)
	defer cancel()
	body, err := json.Marshal(r)
	if err != nil {
		return 0, err
	}
	pauses := backoff.Backoff{Min: 5 * time.Millisecond, Max: 50 * time.Millisecond}
	for {
		a, err := p.askOnce(ctx, body)
		if err == nil && !a.Again {
			return a.Value, a.err()
		}
		if err == nil {
			err = a.err()
		}
		if pauses.Wait(ctx) != nil {
			return 0, fmt.Errorf("%w: partition %v: %w: %v", call.ErrUnavailable, p.at, context.Cause(ctx), err)
		}
	}
}

// errSilent is the reason why a step is not asked for any longer.
var errSilent = errors.New("its primary has not answered")

func (p Peer) askOnce(ctx context.Context, body []byte) (a answer, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	m, err := p.conn.RequestWithContext(ctx, subject(p.at), body)
	if err == nil {
		err = json.Unmarshal(m.Data, &a)
	}
	return a, err
}

func (a *answer) err() error {
	if len(a.Error) == 0 {
		return nil
	}
	d := wire.NewDecoder(a.Error)
	return d.Error()
}

// home returns the ID of a transaction that began in the partition.
func (p Peer) home(number uint64) txn.ID { return txn.ID{Space: p.at.Space, Number: number} }

// Dissolve implements txn.Partition.
func (p Peer) Dissolve(ctx context.Context, number uint64) error {
	_, err := p.ask(ctx, request{Step: dissolve, ID: p.home(number)}, quickly)
	return err
}

// Outcome implements txn.Partition.
func (p Peer) Outcome(ctx context.Context, number uint64) (txn.Outcome, error) {
	o, err := p.ask(ctx, request{Step: outcome, ID: p.home(number)}, quickly)
	return txn.Outcome(o), err
}

// Prepare implements txn.Partition.
func (p Peer) Prepare(ctx context.Context, id txn.ID, of txn.Incarnation) (prepared bool, err error) {
	n, err := p.ask(ctx, request{Step: prepare, ID: id, Branch: of}, patiently)
	return n > 0, err
}

// Commit implements txn.Partition.
func (p Peer) Commit(ctx context.Context, id txn.ID) error {
	_, err := p.ask(ctx, request{Step: commit, ID: id}, quickly)
	return err
}

// Abort implements txn.Partition.
func (p Peer) Abort(ctx context.Context, id txn.ID) error {
	_, err := p.ask(ctx, request{Step: abort, ID: id}, quickly)
	return err
}

// Enlist implements partition.Peer.
func (p Peer) Enlist(ctx context.Context, number uint64, b txn.Branch) error {
	_, err := p.ask(ctx, request{Step: enlist, ID: p.home(number), At: b.At, Branch: b.Incarnation}, patiently)
	return err
}

// CommitTxn implements partition.Peer. It is not asked for again before the fate of the transaction is known.
func (p Peer) CommitTxn(ctx context.Context, number uint64) error {
	body, err := json.Marshal(request{Step: commitTxn, ID: p.home(number)})
	if err != nil {
		return err
	}
	for again := false; ; again = true {
		a, err := p.askOnce(ctx, body)
		if err == nil && !a.Again && !(again && errors.Is(a.err(), call.ErrTxnEnded)) {
			return a.err()
		}
		f, failed := p.Fate(ctx, number)
		switch {
		case failed != nil:
			return fmt.Errorf("%w: %w", call.ErrOutcomeUnknown, failed)
		case f == call.Committed:
			return nil
		case f == call.Aborted:
			return fmt.Errorf("%w: it was aborted", call.ErrTxnEnded)
		case f == call.Unknown:
			return call.ErrOutcomeUnknown
		}
		if backoff.Sleep(ctx, 5*time.Millisecond) != nil {
			return fmt.Errorf("%w: %w", call.ErrOutcomeUnknown, context.Cause(ctx))
		}
	}
}

// AbortTxn implements partition.Peer.
func (p Peer) AbortTxn(ctx context.Context, number uint64) error {
	_, err := p.ask(ctx, request{Step: abortTxn, ID: p.home(number)}, patiently)
	return err
}

// RollbackTxn implements partition.Peer.
func (p Peer) RollbackTxn(ctx context.Context, number uint64, at txn.Address, keep []uint64) error {
	_, err := p.ask(ctx, request{Step: rollbackTxn, ID: p.home(number), At: at, Keep: keep}, patiently)
	return err
}

// Fate implements partition.Peer.
func (p Peer) Fate(ctx context.Context, number uint64) (call.Fate, error) {
	f, err := p.ask(ctx, request{Step: fate, ID: p.home(number)}, patiently)
	return call.Fate(f), err
}

// RollbackPart implements partition.Peer.
func (p Peer) RollbackPart(ctx context.Context, id txn.ID, keep []uint64) error {
	_, err := p.ask(ctx, request{Step: rollbackPart, ID: id, Keep: keep}, patiently)
	return err
}

// Retire implements partition.Peer.
func (p Peer) Retire(ctx context.Context) (highest uint64, err error) {
	n, err := p.ask(ctx, request{Step: retire}, patiently)
	return uint64(n), err
}

// Time implements partition.Peer. It asks once: the time is as old as the question, at most.
func (p Peer) Time(ctx context.Context) (now int64, err error) {
	body, err := json.Marshal(request{Step: timeOf})
	if err != nil {
		return 0, err
	}
	a, err := p.askOnce(ctx, body)
	if err == nil {
		err = a.err()
	}
	return int64(a.Value), err
}
