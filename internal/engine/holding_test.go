package engine

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
)

// hand writes n stones of ages from 0 on, and takes each under its own transaction. It returns the transactions by age.
func (s *scene) hand(n int) (txns []uint64) {
	for age := range n {
		s.write(tx0, age)
		t := s.begin()
		require.Equal(s.t, []int{age}, s.found(take(t, age)))
		txns = append(txns, t)
	}
	return txns
}

// heldUpTo is a query for held stones.
func heldUpTo(n int) *call.Query {
	q := upTo(n, read(tx0))
	q.Held = true
	return q
}

// stepping finishes a call in small steps, and calls between after each.
func (s *scene) stepping(r call.Result, x Unfinished, between func()) call.Result {
	require.NotNil(s.t, x, "one step does not suffice")
	for done := false; !done; {
		between()
		r, done = x.Step(s.now, 7)
	}
	return r
}

func TestHeld_CostsWhatIsHeld(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	txns := s.hand(3)
	for age := range 5000 {
		s.write(tx0, 100+age)
	}
	r, x := s.e.StartHeldFind(s.now, 10, heldUpTo(10))
	require.Nil(t, x)
	require.Equal(t, []int{0, 1, 2}, ages(r.Entries))
	s.abort(txns[0])
	r, x = s.e.StartHeldCount(s.now, 10, heldUpTo(1))
	require.Nil(t, x)
	require.Equal(t, 2, r.Count)
	r, x = s.e.StartHeldContents(s.now, 10, heldUpTo(1), call.Cursor{})
	require.Nil(t, x)
	require.Equal(t, []int{1}, ages(r.Entries))
	require.True(t, r.More)
}

// Between the steps some entries are released and taken again, so that locks move.
func TestHeld_StepsMissNoneThatStaysAndShowNoneTwice(t *testing.T) {
	t.Parallel()
	const n = 300
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 0))
		s := newScene(t)
		txns := s.hand(n)
		between := func() { // every third stays
			for range 5 {
				age := r.IntN(n)
				if age%3 == 0 {
					continue
				}
				if txns[age] != 0 {
					s.abort(txns[age])
					txns[age] = 0
				} else {
					txns[age] = s.begin()
					s.found(take(txns[age], age))
				}
			}
		}
		check := func(got []int) {
			for i, age := range got {
				require.True(t, i == 0 || got[i-1] < age, "oldest first, each once: %v", got)
			}
			for age := 0; age < n; age += 3 {
				require.Contains(t, got, age)
			}
		}
		res, x := s.e.StartHeldFind(s.now, 7, heldUpTo(n))
		got := ages(s.stepping(res, x, between).Entries)
		check(got)
		for _, age := range got {
			require.NotZero(t, txns[age], "it is held at the end")
		}

		res, x = s.e.StartHeldCount(s.now, 7, heldUpTo(1))
		count := s.stepping(res, x, between).Count
		require.GreaterOrEqual(t, count, n/3)
		require.LessOrEqual(t, count, n)

		got = nil
		for cursor, more := (call.Cursor{}), true; more; cursor, more = res.Cursor, res.More {
			res, x = s.e.StartHeldContents(s.now, 7, heldUpTo(50), cursor)
			if x != nil {
				res = s.stepping(res, x, between)
			}
			got = append(got, ages(res.Entries)...)
		}
		check(got)
	}
}

func TestHeld_BeginsAgainWhenWhatItKeptIsReleased(t *testing.T) {
	t.Parallel()
	const n = 4 * minBest
	s := newScene(t)
	txns := s.hand(n)
	r, x := s.e.StartHeldFind(s.now, 7, heldUpTo(2))
	steps := 0
	r = s.stepping(r, x, func() {
		if steps++; steps == n/7 {
			for age := range n - 1 {
				s.abort(txns[age])
			}
		}
	})
	require.Equal(t, []int{n - 1}, ages(r.Entries))
}

func TestHeld_IsForReadsUnderNoTransaction(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	q := heldUpTo(1)
	for _, set := range []func(){
		func() { q.Take = true }, func() { q.Claim = true }, func() { q.Begin, q.Take = true, true },
		func() { q.Txn.Number = 1 },
	} {
		q = heldUpTo(1)
		require.NoError(t, s.e.Check(q))
		set()
		require.ErrorIs(t, s.e.Check(q), call.ErrInvalidArgument)
	}
}
