package space

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/gospaces/gospaces/space/codec"
	"github.com/gospaces/gospaces/txn"
)

// Txn is a transaction: calls made under it (In) take effect together when it commits, or not at all. Until then what
// it wrote is visible under the transaction only, and what it read or took is locked. It is aborted when its lease
// ends. Its methods may be called concurrently, and it may be used in all spaces of the server on which it began; from
// other clients by its ID (TxnOf).
type Txn struct {
	space Space // in which it began, or that was given to TxnOf
	id    txn.ID
	lease Lease

	mu     sync.Mutex
	staged []Draft     // guarded by mu
	state  txnState    // guarded by mu
	unsure bool        // guarded by mu; a commit has an unknown outcome
	lost   error       // guarded by mu; why it has ended, if not by a call here
	onLoss func(error) // guarded by mu; called at that time, or nil
}

// txnState is this handle's knowledge of its transaction; others may have ended it.
type txnState uint8

const (
	txnOpen txnState = iota
	txnCommitting
	txnEnded
)

// txnLease is the default lease of a transaction.
const txnLease = time.Minute

// Begin begins a transaction in sp. Its lease is one minute unless For says otherwise; KeepAlive renews it. The caller
// ends it with Commit or Abort; if it does neither, because it has died, the end of the lease aborts the transaction.
// Transactions cannot be nested.
//
// A transaction holds 4,096 entries at most (Config.MaxTxnEntries; the server's --max-txn-entries): those that it has
// read, taken, written and changed, and one for each of its calls that wait. A call that would make it hold more
// returns ErrTooLarge and changes nothing; the transaction goes on.
func Begin(ctx context.Context, sp Space, opts ...LeaseOption) (*Txn, error) {
	c, err := newCall(sp, opts)
	if err != nil {
		return nil, err
	}
	defer c.free()
	t, err := sp.Begin(ctx, c.leaseOr(txnLease))
	if err != nil {
		return nil, err
	}
	return t.Through(sp), nil
}

// TxnOf returns a transaction that another client began, in sp or in another space of its server, for use through sp.
// It makes no call: the first use shows whether the transaction is still open. The duration of its lease is unknown
// until it is renewed.
func TxnOf(sp Space, id txn.ID) *Txn {
	t := newTxn(sp, id, 0, time.Now())
	if g, ok := sp.(group); ok {
		t.lease.space, t.id = g.Home(id)
	}
	return t
}

// Txn returns the transaction that sp, the space with that name, began for a request which was sent at that time, by
// the local clock. It is for implementations of Space.
func (g Grant) Txn(sp Space, name string, sent time.Time) *Txn {
	return newTxn(sp, txn.ID{Space: name, Number: uint64(g.ID)}, g.Granted, sent)
}

func newTxn(sp Space, id txn.ID, granted time.Duration, sent time.Time) *Txn {
	return &Txn{space: sp, id: id, lease: Lease{space: sp, id: LeaseID(id.Number), sent: sent, granted: granted}}
}

// Through makes the methods of t and of its lease use sp: the space in which it began, or a value around that one, for
// example one that counts calls. It returns t. Begin and TakeTxn do so for the space that they are given; call it for a
// transaction that Query.Begin began, before any other method.
func (t *Txn) Through(sp Space) *Txn {
	t.space, t.lease.space = sp, sp
	return t
}

// ID returns the identity of the transaction, for other clients.
func (t *Txn) ID() txn.ID { return t.id }

// Space returns the space in which the transaction began, or that TxnOf was given.
func (t *Txn) Space() Space { return t.space }

// Lease returns the lease of the transaction. Cancelling it aborts the transaction.
func (t *Txn) Lease() *Lease { return &t.lease }

// Commit writes what was staged and makes everything that was done under the transaction take effect, at one instant
// and for good. It blocks until that is as durable as the space promises, or ctx ends. It returns ErrTxnEnded if the
// transaction has ended before: then nothing has taken effect, unless another client committed it. After
// ErrOutcomeUnknown everything has taken effect or nothing: Commit may be called again, and then returns nil if the
// first had committed; Outcome tells it, too. After any other error the transaction is as it was.
func (t *Txn) Commit(ctx context.Context) error {
	staged, unsure, err := t.beginCommit()
	if err != nil {
		return err
	}
	_, err = t.space.Commit(ctx, t.id, staged)
	if unsure && errors.Is(err, ErrTxnEnded) {
		err = t.committedBefore(ctx, err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil && !errors.Is(err, ErrTxnEnded) {
		t.state, t.unsure = txnOpen, t.unsure || errors.Is(err, ErrOutcomeUnknown)
		return err
	}
	t.state, t.staged = txnEnded, nil
	return err
}

// committedBefore returns nil if the transaction, which has ended, was committed; otherwise ended.
func (t *Txn) committedBefore(ctx context.Context, ended error) error {
	fate, err := t.Outcome(ctx)
	switch {
	case err != nil:
		return unknownTxn(t.id, fmt.Errorf("%w: %w", ErrOutcomeUnknown, err))
	case fate == Committed:
		return nil
	case fate == Unknown:
		return unknownTxn(t.id, fmt.Errorf("%w: the space has forgotten the transaction", ErrOutcomeUnknown))
	}
	return ended
}

func (t *Txn) beginCommit() (staged []Draft, unsure bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.openLocked(); err != nil {
		return nil, false, err
	}
	t.state = txnCommitting
	return t.staged, t.unsure, nil
}

// errVictim is the error for a use of a transaction that was ended to break a deadlock.
var errVictim = fmt.Errorf("%w: to break a deadlock", ErrTxnEnded)

// openLocked returns the error for a use of the transaction if it is known to have ended.
func (t *Txn) openLocked() error {
	switch t.state {
	case txnCommitting:
		return fmt.Errorf("%w: it is being committed", ErrTxnEnded)
	case txnEnded:
		if errors.Is(t.lost, ErrDeadlock) {
			return errVictim // ErrDeadlock is for the calls that waited
		}
		return cmp.Or(t.lost, ErrTxnEnded)
	}
	return nil
}

// Lose tells t that it has ended without having been committed or aborted here, for a reason that is or wraps
// ErrTxnEnded, or is ErrDeadlock. A commit that is under way has an outcome of its own. It is for implementations of
// Space.
func (t *Txn) Lose(why error) {
	if !errors.Is(why, ErrTxnEnded) {
		why = fmt.Errorf("%w: %w", ErrTxnEnded, why)
	}
	t.mu.Lock()
	if t.state != txnOpen || t.unsure { // the outcome of a commit may still become known
		t.mu.Unlock()
		return
	}
	t.state, t.lost, t.staged = txnEnded, why, nil
	tell := t.onLoss
	t.onLoss = nil
	t.mu.Unlock()
	if tell != nil {
		tell(why)
	}
}

// OnLoss makes f run once the space reports that the transaction has ended although neither t.Commit nor t.Abort was
// called: its lease is over, for example, or was cancelled. why wraps ErrTxnEnded and says which; it also wraps
// ErrDeadlock if the space has broken one. If the report has come before, f runs at once. It must not block. A later
// OnLoss replaces f; nil is none.
func (t *Txn) OnLoss(f func(why error)) {
	if f == nil {
		f = func(error) {}
	}
	t.mu.Lock()
	lost := t.lost
	if lost == nil {
		t.onLoss = f
	}
	t.mu.Unlock()
	if lost != nil {
		f(lost)
	}
}

// Abort undoes everything that was done under the transaction and ends it: entries that it took are back in their old
// places, those that it wrote were never there. It returns ErrTxnEnded if the transaction has ended before.
func (t *Txn) Abort(ctx context.Context) error {
	t.mu.Lock()
	err := t.openLocked()
	t.mu.Unlock()
	if err != nil {
		return err
	}
	if err := t.space.Abort(ctx, t.id); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.state, t.staged = txnEnded, nil
	return nil
}

// Rollback undoes what was done under the transaction, in all spaces, and forgets what was staged, but for the takes of
// the entries of t.Space that are named in keep: those stay taken, and the transaction goes on. It returns ErrTxnEnded
// if the transaction has ended.
func (t *Txn) Rollback(ctx context.Context, keep ...LeaseID) error {
	if err := t.unstage(); err != nil {
		return err
	}
	return t.space.Rollback(ctx, t.id, keep...)
}

func (t *Txn) unstage() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.openLocked(); err != nil {
		return err
	}
	t.staged = nil
	return nil
}

// Defer makes the commit put an entry of t.Space that the transaction has taken back, instead of removing it: visible
// after delay, and with one attempt more (Entry.Attempts). Its lease stands still during the delay. It returns
// ErrTxnEnded, and ErrNoMatch if the transaction has not taken the entry.
func (t *Txn) Defer(ctx context.Context, entry LeaseID, delay time.Duration) error {
	return t.space.Defer(ctx, t.id, entry, delay)
}

// Stage has v written by t.Commit in t.Space, in the same call and together with everything else; nothing is sent
// before. It returns the errors of Write that can be told without asking, and ErrTxnEnded. If T is an interface, such
// as any, the type of the value in it counts.
func Stage[T any](ctx context.Context, t *Txn, v T, opts ...StageOption) error {
	if goType := reflect.TypeFor[T](); goType.Kind() != reflect.Interface {
		own := v
		return t.stage(ctx, goType, &own, opts)
	}
	goType := reflect.TypeOf(v)
	if goType == nil {
		return invalid("nil cannot be written")
	}
	return t.stage(ctx, goType, v, opts)
}

// stage is Stage for v, a value of the given type or a pointer to one.
func (t *Txn) stage(ctx context.Context, goType reflect.Type, v any, opts []StageOption) error {
	d := Draft{Lease: Forever}
	if len(opts) > 0 {
		c, err := newCall(t.space, opts)
		if err != nil {
			return err
		}
		d.Lease, d.Delay = c.leaseOr(Forever), c.delay
		c.free()
	}
	known, err := t.space.Codecs().For(ctx, t.space, goType)
	if err != nil {
		return err
	}
	if d.Row, d.Schema, err = known.Encode(nil, v); err != nil {
		return err
	}
	d.Kind = d.Schema.Kind
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.openLocked(); err != nil {
		return err
	}
	t.staged = append(t.staged, d)
	return nil
}

// TakeTxn takes an entry under a new transaction, which begins when the entry is found: a call that waits holds none.
// It costs no more than Take. The lease of the transaction is one minute unless For says otherwise.
//
// With an *UnusableEntryError the transaction is returned, too: its commit removes the entry, its abort puts it back.
func TakeTxn[T any](ctx context.Context, sp Space, template T, opts ...TakeTxnOption) (T, *Txn, error) {
	var found T
	known, q, err := beginning(ctx, sp, &template, opts)
	if err != nil {
		return found, nil, err
	}
	entries, err := sp.Take(ctx, q)
	if err != nil {
		return found, nil, err
	}
	return found, entries[0].Txn.Through(sp), decode(known, &entries[0], &found)
}

// beginning compiles the query of TakeTxn.
func beginning[T any](ctx context.Context, sp Space, template *T, opts []TakeTxnOption) (*codec.Codec, Query, error) {
	if len(opts) == 0 {
		known, q, err := query(ctx, sp, template, opts)
		q.Begin, q.Lease = true, txnLease
		return known, q, err
	}
	known, c, err := begin[T](sp, opts)
	if err != nil {
		return nil, Query{}, err
	}
	defer c.free()
	q, err := c.query(ctx, sp, known, template)
	q.Begin, q.Lease = true, c.leaseOr(txnLease)
	return known, q, err
}

// group is implemented by spaces that share transactions with others.
type group interface {
	// Group returns what is equal for spaces that do.
	Group() any
	// Home returns the space of the group in which a transaction began, and the transaction by its full name.
	Home(id txn.ID) (Space, txn.ID)
}

func groupOf(sp Space) any {
	if g, ok := sp.(group); ok {
		return g.Group()
	}
	return nil
}

// usableIn returns an error if t cannot be used in sp. The space may still refuse other transactions.
func (t *Txn) usableIn(sp Space) error {
	if t.space != sp && groupOf(t.space) != groupOf(sp) {
		return invalid("transaction %v began in another space, which shares no transactions with this one", t.id)
	}
	return nil
}
