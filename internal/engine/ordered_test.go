package engine

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/store"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// Ordered indexes of every shape are compared with a scan and a sort of all entries.
func TestOrdered_AgreesWithLookingAtAll(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 1))
			e := newTestEngine(t)
			ids := []uint64{}
			write := func() {
				res := e.Write(1, txn.ID{}, call.Request{},
					[]call.Draft{{Kind: animalKind, Row: animalRow(r), Lease: call.Forever}})
				require.NoError(t, res.Err)
				ids = append(ids, res.Grants[0].ID)
			}
			for range 5000 {
				write()
			}
			for range 40 {
				q := orderedQuery(r)
				force(e, q)
				for range 8 {
					disturb(t, e, r, ids)
					write()
					want := lookAtAll(e, q)
					require.Equal(t, want, identities(e.Find(1, q).Entries), "%s", describe(q))
				}
			}
		})
	}
}

// animalRow returns a row whose fields are null, one of a few values, or one of many.
func animalRow(r *rand.Rand) template.Row {
	if r.IntN(3) == 0 {
		return randomRow(r, animal)
	}
	var row template.Row
	for _, v := range []template.Value{
		template.AppendString(nil, fmt.Sprintf("a long name that shares its first bytes: %d", r.IntN(1000))),
		template.AppendInt(nil, int64(r.IntN(20_000)-10_000)),
		template.AppendFloat(nil, r.NormFloat64()),
	} {
		row = append(append(row, byte(len(v))), v...)
	}
	return row
}

func orderedQuery(r *rand.Rand) *call.Query {
	q := &call.Query{Max: 1 + r.IntN(3)*r.IntN(30), Templates: []call.Template{{Kind: animalKind}}}
	for range r.IntN(4) {
		q.Templates[0].Conds = append(q.Templates[0].Conds, randomCond(r, animal))
	}
	fields := r.Perm(3)
	for _, f := range fields[:r.IntN(3)] {
		q.Order = append(q.Order, template.Order{Field: f, Desc: r.IntN(2) == 0})
	}
	return q
}

// force gives an engine the indexes that serve a query.
func force(e *Engine, q *call.Query) {
	expand(q.Templates[0].Conds, func(conds []template.Cond) {
		for _, p := range []*store.Pool{&e.kinds[0].Free, &e.kinds[0].Shared} {
			if sh := store.ShapeOf(conds, q.Order); sh.Indexable() && p.Index(sh) == nil {
				e.startIndex(e.kinds[0], p, sh)
			}
		}
	})
	e.Work(unbounded)
}

// disturb takes, changes or locks entries.
func disturb(t *testing.T, e *Engine, r *rand.Rand, ids []uint64) {
	id := ids[r.IntN(len(ids))]
	one := &call.Query{Max: 1, ID: id, Templates: []call.Template{{Kind: animalKind}}}
	switch r.IntN(4) {
	case 0:
		one.Take = true
		e.Find(1, one)
	case 1:
		e.Update(1, txn.ID{}, call.Request{}, call.Change{ID: id, Row: animalRow(r)})
	case 2: // out of its place and back
		one.Txn, one.Take = under(e.Begin(1, call.Forever, call.Request{}, "").Grants[0].ID), r.IntN(2) == 0
		e.Find(1, one)
		require.NoError(t, e.Abort(1, one.Txn).Err)
	case 3: // for good
		one.Txn = under(e.Begin(1, call.Forever, call.Request{}, "").Grants[0].ID)
		e.Find(1, one)
	}
}

// lookAtAll returns the identities of the entries that a read finds.
func lookAtAll(e *Engine, q *call.Query) []uint64 {
	k := e.kinds[0]
	var all []slot
	for s := slot(1); s <= k.Top(); s++ {
		if k.At(s).ID != 0 && k.At(s).State <= shared && matchAll(q.Templates[0].Conds, k.Row(s)) {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b slot) int {
		return cmp.Or(store.CompareKeys(q.Order, k.Row(a), k.Row(b)), cmp.Compare(k.At(a).Order, k.At(b).Order))
	})
	ids := []uint64{}
	for _, s := range all[:min(len(all), q.Max)] {
		ids = append(ids, k.At(s).ID)
	}
	return ids
}

func identities(vs []call.View) []uint64 {
	ids := []uint64{}
	for _, v := range vs {
		ids = append(ids, v.ID)
	}
	return ids
}
