package engine

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/txn"
)

// host runs random programs in which branches of foreign transactions prepare, commit and abort among other operations,
// beside an engine that follows the log. Now and then a crash leaves only the log.
type host struct {
	t       *testing.T
	r       *rand.Rand
	now     int64
	e       *Engine
	replica *Engine
	log     [][]byte

	number   uint64   // of the last foreign transaction
	branches []txn.ID // the latest to join; some have ended
	locals   []uint64 // the latest transactions begun here; some have ended
}

func (h *host) home(n uint64) txn.ID { return txn.ID{Space: "far", Number: n} }

// under returns a transaction for a call, or none.
func (h *host) under() txn.ID {
	switch {
	case h.r.IntN(3) == 0:
		return txn.ID{}
	case h.r.IntN(3) == 0 && len(h.locals) > 0:
		return txn.ID{Number: h.locals[h.r.IntN(len(h.locals))]}
	case len(h.branches) > 0:
		return h.branches[h.r.IntN(len(h.branches))]
	}
	return txn.ID{}
}

func (h *host) branch() txn.ID {
	if len(h.branches) == 0 {
		return h.home(1)
	}
	return h.branches[h.r.IntN(len(h.branches))]
}

func (h *host) drafts() (ds []call.Draft) {
	for range 1 + h.r.IntN(2) {
		k := call.KindID(1 + h.r.IntN(3))
		d := call.Draft{Kind: k, Row: randomRow(h.r, schemas[k-1]), Lease: call.Forever}
		if h.r.IntN(4) == 0 {
			d.Lease = int64(h.r.IntN(40)) * int64(time.Millisecond)
		}
		if h.r.IntN(8) == 0 {
			d.Delay = int64(h.r.IntN(20)) * int64(time.Millisecond)
		}
		ds = append(ds, d)
	}
	return ds
}

// find reads or takes, and sometimes waits.
func (h *host) find() {
	q := randomQuery(h.r)
	q.Txn = h.under()
	q.Take = h.r.IntN(3) > 0
	r := h.e.Find(h.now, q)
	if r.Err == call.ErrNoMatch && h.r.IntN(4) == 0 {
		_ = h.e.Park(q, nil)
	}
	if r.Err == nil && q.Take && !q.Txn.IsZero() && h.r.IntN(3) == 0 {
		h.follow()
		h.e.Defer(h.now, q.Txn, r.Entries[0].ID, int64(h.r.IntN(20))*int64(time.Millisecond))
	}
}

// update changes an entry.
func (h *host) update() {
	under := h.under()
	q := &call.Query{Templates: []call.Template{{Kind: stoneKind}}, Max: 4, Txn: under}
	r := h.e.Find(h.now, q)
	if r.Err != nil {
		return
	}
	h.follow()
	id := r.Entries[h.r.IntN(len(r.Entries))].ID
	h.e.Update(h.now, under, call.Request{}, call.Change{ID: id, Kind: stoneKind, Row: randomRow(h.r, stone)})
}

func (h *host) step() {
	h.now += int64(h.r.IntN(4)) * int64(time.Millisecond)
	switch h.r.IntN(14) {
	case 0:
		h.number++
		h.branches = append(h.branches[max(0, len(h.branches)-5):], h.home(h.number))
		h.e.Join(h.now, h.home(h.number))
	case 1:
		if r := h.e.Begin(h.now, int64(50*time.Millisecond), call.Request{}, ""); r.Err == nil {
			h.locals = append(h.locals[max(0, len(h.locals)-5):], r.Grants[0].ID)
		}
	case 2, 3, 4:
		h.e.Write(h.now, h.under(), call.Request{}, h.drafts())
	case 5, 6, 7:
		h.find()
	case 8:
		h.update()
	case 9, 10:
		h.prepare()
	case 11:
		if h.r.IntN(2) == 0 {
			h.e.CommitBranch(h.now, h.branch())
		} else {
			h.e.AbortBranch(h.now, h.branch())
		}
	case 12:
		q := randomQuery(h.r)
		q.Max, q.Take, q.Order = 1, false, nil
		h.e.Notify(h.now, q, call.EventSet(h.r.IntN(1<<10)), int64(100*time.Millisecond))
	case 13:
		if len(h.locals) > 0 {
			h.e.Commit(h.now, txn.ID{Number: h.locals[h.r.IntN(len(h.locals))]}, call.Request{}, nil)
		}
	}
	h.follow()
	switch h.r.IntN(80) {
	case 0, 1:
		h.crash()
	case 2, 3:
		h.handOver()
	}
}

// prepare prepares a branch, which then accepts no calls or has ended.
func (h *host) prepare() {
	id := h.branch()
	had := h.e.HasBranch(id)
	r := h.e.Prepare(h.now, id, h.e.branches[id])
	h.follow()
	if !had {
		require.ErrorIs(h.t, r.Err, call.ErrTxnEnded)
		return
	}
	require.NoError(h.t, r.Err)
	require.Equal(h.t, r.Count == 1, h.e.HasBranch(id))
	require.ErrorIs(h.t, h.e.Write(h.now, id, call.Request{}, h.drafts()).Err, call.ErrTxnEnded)
}

// follow applies the new decisions to the replica.
func (h *host) follow() {
	if len(h.e.Log) == 0 {
		return
	}
	h.log = append(h.log, bytes.Clone(h.e.Log))
	h.e.Log = h.e.Log[:0]
	require.NoError(h.t, h.replica.Apply(h.log[len(h.log)-1]))
	require.Empty(h.t, h.replica.Log, "who follows decides nothing")
	require.Equal(h.t, h.e.Hash(), h.replica.Hash())
}

// crash replaces the engine by the replica, which must show what the engine shows once all active transactions are
// aborted.
func (h *host) crash() {
	for _, id := range h.e.Branches() {
		if !slices.Contains(h.e.Prepared(), id) {
			h.e.AbortBranch(h.now, id)
			h.follow()
		}
	}
	for _, n := range slices.Sorted(maps.Keys(h.e.txns)) {
		h.e.Abort(h.now, txn.ID{Number: n})
		h.follow()
	}
	require.Equal(h.t, h.e.Prepared(), h.replica.Prepared())
	require.Equal(h.t, h.e.Prepared(), h.replica.Branches())
	h.e.Expire(h.now)
	h.follow()
	require.Equal(h.t, h.shown(h.e), h.shown(h.replica))

	h.e, h.replica = h.replica, New(Config{}, 0)
	for _, group := range h.log {
		require.NoError(h.t, h.replica.Apply(group))
	}
	require.Equal(h.t, h.e.Hash(), h.replica.Hash())
	h.follow()
}

// handOver has the replica go on, and the engine apply its decisions: it has prepared branches of its own and may lead
// again.
func (h *host) handOver() {
	prepared := h.e.Prepared()
	h.e.StepDown(h.now)
	h.follow()
	h.e, h.replica = h.replica, h.e
	h.e.Restarted(h.now)
	h.follow()
	require.Equal(h.t, prepared, h.e.Prepared())
	require.Equal(h.t, prepared, h.replica.Prepared())
}

// shown returns what a reader without a transaction sees.
func (h *host) shown(e *Engine) (all []call.View) {
	q := &call.Query{Templates: []call.Template{{}}, Max: 10000}
	for _, v := range e.Find(h.now, q).Entries {
		v.Row = bytes.Clone(v.Row)
		all = append(all, v)
	}
	return all
}

func TestBranches_OutliveCrashes(t *testing.T) {
	t.Parallel()
	for seed := range uint64(30) {
		h := &host{t: t, r: rand.New(rand.NewPCG(seed, 1)), now: 1, e: New(Config{}, 0), replica: New(Config{}, 0)}
		for _, s := range schemas {
			require.NoError(t, h.e.Register(h.now, s).Err)
			h.follow()
		}
		for range 600 {
			if h.step(); t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
	}
}
