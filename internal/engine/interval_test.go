package engine

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

func (it *interval) depth() int {
	if it == nil {
		return 0
	}
	return 1 + max(it.left.depth(), it.right.depth())
}

// parkRanges parks n calls that wait for values of at least 0, 1, 2 and so on.
func parkRanges(e *Engine, n int, take bool) []*Waiter {
	var waiters []*Waiter
	for i := range n {
		q := &call.Query{
			Max: 1, Take: take,
			Templates: []call.Template{{
				Kind:  1,
				Conds: []template.Cond{{Field: 3, Op: template.Ge, Value: template.AppendInt(nil, int64(i))}},
			}},
		}
		waiters = append(waiters, e.Park(q, nil))
	}
	return waiters
}

// Calls that differ only by a range cost almost nothing to an entry that matches none, and otherwise only as much as
// the matching ones.
func TestCrowd_RangesCostWritesLittle(t *testing.T) {
	t.Parallel()
	const n = 20_000
	e := New(Config{}, 0)
	e.Register(0, wide())
	waiters := parkRanges(e, n, false)
	b := e.kinds[0].watch.groups[0].buckets[waiters[0].nodes[0].hash]
	require.Less(t, b.crowd.fields[0].roots[reading].depth(), 50)
	require.Len(t, b.all(reading), n)
	require.Empty(t, b.crowd.among(nil, reading, wideRow(crowded-1), nil))
	require.Len(t, b.crowd.among(nil, reading, wideRow(crowded+9), nil), 10)

	e.Write(1, txn.ID{}, call.Request{}, []call.Draft{{Kind: 1, Row: wideRow(-1), Lease: call.Forever}})
	require.Empty(t, e.Granted)
	e.Write(1, txn.ID{}, call.Request{}, []call.Draft{{Kind: 1, Row: wideRow(99), Lease: call.Forever}})
	require.Equal(t, waiters[:100], e.Granted, "in order of arrival")
	for _, w := range waiters[100:] {
		require.True(t, e.Unpark(w))
	}
	require.Empty(t, e.kinds[0].watch.groups[0].buckets)
}

// A take that arrived first gets the entry, wherever it is filed.
func TestCrowd_TakesAreServedInOrderOfArrival(t *testing.T) {
	t.Parallel()
	e := New(Config{}, 0)
	e.Register(0, wide())
	waiters := parkRanges(e, 1000, true)
	for i := range 1000 {
		e.Write(1, txn.ID{}, call.Request{}, []call.Draft{{Kind: 1, Row: wideRow(2000), Lease: call.Forever}})
		require.Equal(t, []*Waiter{waiters[i]}, e.Granted)
		e.Granted = nil
	}
}

// boundCond returns a condition on one of three fields.
func boundCond(r *rand.Rand) template.Cond {
	value := func() template.Value { return template.AppendInt(nil, r.Int64N(40)) }
	c := template.Cond{Field: r.IntN(6), Op: template.Op(1 + r.IntN(int(template.In))), Value: value()}
	switch c.Op {
	case template.In:
		c.Values = []template.Value{value(), value(), value()}
	case template.Prefix:
		c.Value = c.Value[:r.IntN(len(c.Value)+1)]
	}
	return c
}

// A crowd finds what a scan of all nodes finds, after any sequence of changes.
func TestCrowd_FindsWhatAScanFinds(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 1))
		e := New(Config{}, 0)
		e.Register(0, wide())
		var parked []*Waiter
		served := 0
		for range 2000 {
			switch p := r.IntN(10); {
			case p < 6:
				q := &call.Query{Max: 1, Take: r.IntN(2) == 0, Templates: []call.Template{{Kind: 1}}}
				for range 1 + r.IntN(3) {
					q.Templates[0].Conds = append(q.Templates[0].Conds, boundCond(r))
				}
				parked = append(parked, e.Park(q, nil))
			case p < 7 && len(parked) > 0:
				i := r.IntN(len(parked))
				require.True(t, e.Unpark(parked[i]))
				parked = slices.Delete(parked, i, i+1)
			default:
				row := wideRow(r.Int64N(50) - 5)
				want := expectedServed(parked, row)
				e.Granted = nil
				e.Write(1, txn.ID{}, call.Request{}, []call.Draft{{Kind: 1, Row: row, Lease: call.Forever}})
				require.ElementsMatch(t, want, e.Granted, fmt.Sprint("seed ", seed))
				served += len(want)
				parked = slices.DeleteFunc(parked, func(w *Waiter) bool { return !w.parked })
			}
		}
		require.Positive(t, served)
	}
}

// expectedServed returns the reads that a row matches, and the first take.
func expectedServed(parked []*Waiter, row template.Row) (served []*Waiter) {
	parked = slices.SortedFunc(slices.Values(parked), func(a, b *Waiter) int { return cmp.Compare(a.arrival, b.arrival) })
	took := false
	for _, w := range parked {
		t := template.Template{Conds: w.Query.Templates[0].Conds}
		if !t.Match(row) || took && w.Query.Take {
			continue
		}
		took = took || w.Query.Take
		served = append(served, w)
	}
	return served
}

// BenchmarkCrowd writes an entry that matches none of many waiting reads, each with its own range.
func BenchmarkCrowd(b *testing.B) {
	for _, n := range []int{1, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			e := New(Config{}, 0)
			e.Register(0, wide())
			parkRanges(e, n, false)
			row := wideRow(-1)
			for b.Loop() {
				r := e.Write(1, txn.ID{}, call.Request{}, []call.Draft{{Kind: 1, Row: row, Lease: call.Forever}})
				e.Find(1, &call.Query{ID: r.Grants[0].ID, Templates: []call.Template{{Kind: 1}}, Max: 1, Take: true})
				e.Log, e.Granted = e.Log[:0], nil
			}
		})
	}
}
