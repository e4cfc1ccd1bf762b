package spacetest

import (
	"context"
	"errors"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/txn"
)

// Guest returns sp as a space whose transactions begin in home, another one that shares transactions with it: what is
// done under them in sp is done in a branch. Both must be new.
func Guest(tb testing.TB, sp, home space.Space) space.Space {
	burnTxns(tb, home)
	g := &guest{Space: sp, tb: tb, home: home, begun: map[space.LeaseID]bool{}, written: map[space.LeaseID]bool{}}
	if w, ok := sp.(Waiter); ok {
		return &tellingGuest{g, w}
	}
	return g
}

// burnTxns has home begin transactions, and ends them. Transactions have pages of identities of their own, and a page
// of a new space may begin where the entries of another one begin: the identities of the transactions that follow are
// beyond those of the entries of a case, so that the two can be told apart.
func burnTxns(tb testing.TB, home space.Space) {
	const apart = 300
	_, err := space.WriteAll(tb.Context(), home, make([]simple, apart))
	require.NoError(tb, err)
	jobs, err := space.Prepare(tb.Context(), home, simple{})
	require.NoError(tb, err)
	q := jobs.Query()
	q.Begin, q.Lease, q.Max = true, time.Hour, apart
	found, err := home.Take(tb.Context(), q)
	require.NoError(tb, err)
	var ids []space.LeaseID
	for _, e := range found {
		ids = append(ids, e.Txn.Lease().ID())
	}
	require.Len(tb, ids, apart)
	require.NoError(tb, home.Cancel(tb.Context(), ids...))
	_, err = space.TakeAll(tb.Context(), home, simple{}, apart)
	require.NoError(tb, err)
}

// tellingGuest is a guest in a space that reports its number of waiting calls.
type tellingGuest struct {
	*guest
	Waiter
}

type guest struct {
	space.Space
	tb   testing.TB
	home space.Space

	mu      sync.Mutex
	begun   map[space.LeaseID]bool // transactions, by their leases; guarded by mu
	written map[space.LeaseID]bool // entries; guarded by mu
}

// isGuest reports whether the transactions of the case begin in another space.
func (k *kit) isGuest() bool {
	switch k.sp.(type) {
	case *guest, *tellingGuest:
		return true
	}
	return false
}

// Group and Home make the guest share transactions with what it is a guest of.
func (g *guest) Group() any { return g.Space.(interface{ Group() any }).Group() }

func (g *guest) Home(id txn.ID) (space.Space, txn.ID) {
	_, id = g.Space.(interface {
		Home(id txn.ID) (space.Space, txn.ID)
	}).Home(id)
	return g, id
}

// Begin implements space.Space.
func (g *guest) Begin(ctx context.Context, lease time.Duration) (*space.Txn, error) {
	t, err := g.home.Begin(ctx, lease)
	if err == nil {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.begun[t.Lease().ID()] = true
	}
	return t, err
}

// Write implements space.Space.
func (g *guest) Write(ctx context.Context, under txn.ID, entries []space.Draft) ([]space.Grant, error) {
	grants, err := g.Space.Write(ctx, under, entries)
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, grant := range grants {
		g.written[grant.ID] = true
	}
	return grants, err
}

// split calls f for the leases of transactions, and for the others, with their positions in ids, and joins what it
// returns.
func (g *guest) split(ids []space.LeaseID, f func(sp space.Space, ids []space.LeaseID, at []int) error) error {
	var split [2][]space.LeaseID
	var at [2][]int
	g.mu.Lock()
	for i, id := range ids {
		to := 0
		if g.begun[id] {
			to = 1
			if g.written[id] {
				g.tb.Errorf("%d is the lease of a transaction of the home, and of an entry of the guest", id)
			}
		}
		split[to], at[to] = append(split[to], id), append(at[to], i)
	}
	g.mu.Unlock()
	failed := map[space.LeaseID]error{}
	for to, sp := range []space.Space{g.Space, g.home} {
		if to == 1 && len(split[to]) == 0 || to == 0 && len(split[to]) == 0 && len(ids) > 0 {
			continue
		}
		err := f(sp, split[to], at[to])
		if some, ok := errors.AsType[*space.LeaseError](err); ok {
			maps.Copy(failed, some.Failed)
		} else if err != nil {
			return err
		}
	}
	if len(failed) > 0 {
		return &space.LeaseError{Failed: failed}
	}
	return nil
}

// Renew implements space.Space.
func (g *guest) Renew(ctx context.Context, d time.Duration, ids ...space.LeaseID) ([]space.Grant, error) {
	grants := make([]space.Grant, len(ids))
	err := g.split(ids, func(sp space.Space, ids []space.LeaseID, at []int) error {
		some, err := sp.Renew(ctx, d, ids...)
		for i := range some {
			grants[at[i]] = some[i]
		}
		return err
	})
	return grants, err
}

// Cancel implements space.Space.
func (g *guest) Cancel(ctx context.Context, ids ...space.LeaseID) error {
	return g.split(ids, func(sp space.Space, ids []space.LeaseID, _ []int) error { return sp.Cancel(ctx, ids...) })
}

// RunGuests runs the part of the suite that is about transactions. open returns what Guest does.
func RunGuests(t *testing.T, open func(tb testing.TB) space.Space) {
	for _, topic := range []topic{
		{"txn", txnCases()},
		{"txnuse", txnUseCases()},
		{"lock", lockCases()},
		{"place", placeCases()},
		{"ifexists", ifExistsCases()},
		{"lockwait", lockWaitCases()},
		{"deadlock", deadlockCases()},
		{"txnlease", txnLeaseCases()},
		{"stage", stageCases()},
		{"rollback", rollbackCases()},
		{"delay", delayCases()},
		{"replace", replaceCases()},
		{"update", updateCases()},
		{"byid", byIDCases()},
		{"work", workCases()},
		{"event", eventCases()},
	} {
		t.Run(topic.name, func(t *testing.T) {
			t.Parallel()
			topic.cases.run(t, open)
		})
	}
}
