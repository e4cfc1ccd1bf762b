package partition_test

import (
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/txn"
)

// hand is a client of a crew's partitions with keys of its own. It knows of each what it was told.
type hand struct {
	k       *crew
	rng     *rand.Rand
	primary *atomic.Int64 // of the partitions
	done    *atomic.Int64 // calls

	there   map[int64]bool // keys that must be there
	gone    map[int64]bool // keys that must not be there
	taken   map[int64]bool // keys that were acknowledged as taken
	next    int64
	unknown int
}

// at returns the primary, as a rule, or another partition.
func (h *hand) at() *partition.Partition {
	if h.rng.IntN(8) == 0 {
		return h.k.views[h.rng.IntN(len(h.k.views))].p
	}
	return h.k.views[h.primary.Load()].p
}

// work makes calls until enough is done.
func (h *hand) work(enough func() bool) {
	for !enough() {
		switch h.rng.IntN(4) {
		case 0, 1:
			h.write()
		case 2:
			h.take()
		default:
			h.takeUnderTxn()
		}
		h.done.Add(1)
	}
}

// told sorts what became of a call: it was done, or not, or that is unknown.
func (h *hand) told(err error) (done, known bool) {
	switch {
	case err == nil:
		return true, true
	case errors.Is(err, call.ErrOutcomeUnknown):
		h.unknown++
		return false, false
	}
	return false, true
}

func (h *hand) write() {
	key := h.next
	h.next++
	switch done, known := h.told(write(h.at(), key)); {
	case done:
		h.there[key] = true
	case known:
		h.gone[key] = true
	}
}

// some returns a key that must be there.
func (h *hand) some() (int64, bool) {
	for key := range h.there {
		return key, true
	}
	return 0, false
}

// settle takes note of what became of the take of a key.
func (h *hand) settle(key int64, err error) {
	done, known := h.told(err)
	if done || !known {
		delete(h.there, key)
	}
	if done {
		if h.taken[key] {
			h.k.t.Errorf("key %d was taken twice", key)
		}
		h.taken[key], h.gone[key] = true, true
	}
}

func (h *hand) take() {
	if key, ok := h.some(); ok {
		h.settle(key, find(h.at(), query(key, true), 0))
	}
}

// takeUnderTxn takes, and commits where the primary is then.
func (h *hand) takeUnderTxn() {
	key, ok := h.some()
	if !ok {
		return
	}
	p, c := h.at(), newCaller()
	p.BeginTxn(c, 1, call.Forever, call.Request{}, "")
	begun := c.await(1)
	if begun.err != nil {
		return
	}
	q := query(key, true)
	q.Txn = txn.ID{Number: begun.grants[0].ID}
	if err := find(p, q, 0); err != nil {
		require.NotErrorIs(h.k.t, err, call.ErrOutcomeUnknown) // else it is perhaps held
		return
	}
	for {
		c, at := newCaller(), h.k.views[h.primary.Load()].p
		at.Commit(c, 1, q.Txn, call.Request{}, nil)
		if err := c.await(1).err; !errors.Is(err, call.ErrUnavailable) { // which has changed nothing
			h.settle(key, err)
			return
		}
	}
}

// check reads every key at the primary.
func (h *hand) check(p *partition.Partition) {
	for key := range h.there {
		require.NoError(h.k.t, find(p, query(key, false), 0), "key %d was acknowledged, and is lost", key)
	}
	for key := range h.gone {
		require.ErrorIs(h.k.t, find(p, query(key, false), 0), call.ErrNoMatch, "key %d", key)
	}
}

// However often the primary changes, by a hand-over or against its will, nothing that was acknowledged is lost, nothing
// is taken twice, and all states at one position are the same.
func TestCrew_ChangesOfThePrimaryLoseNothing(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2) {
		rng := rand.New(rand.NewPCG(seed, 17))
		k := newCrew(t, make([]time.Duration, 2+seed%2)...)
		var primary, done atomic.Int64
		var stop atomic.Bool
		var hands []*hand
		var working sync.WaitGroup
		for i := range int64(3) {
			h := &hand{
				k: k, rng: rand.New(rand.NewPCG(seed, uint64(i))), primary: &primary, done: &done, next: i << 32,
				there: map[int64]bool{}, gone: map[int64]bool{}, taken: map[int64]bool{},
			}
			hands = append(hands, h)
			working.Go(func() { h.work(stop.Load) })
		}
		for range 8 {
			k.change(rng, &primary)
			for begun := done.Load(); done.Load() < begun+10; {
				_ = write(k.views[primary.Load()].p, -1) // so that who was fenced hears of it
			}
		}
		stop.Store(true)
		working.Wait()
		k.settle(int(primary.Load()))
		for _, h := range hands {
			h.check(k.views[primary.Load()].p)
		}
		require.Less(t, k.views[0].loads.Load(), int32(16))
	}
}

// change makes another partition the primary: the old one resigns, or stands still meanwhile and learns of it late.
func (k *crew) change(rng *rand.Rand, primary *atomic.Int64) {
	old := int(primary.Load())
	next := (old + 1 + rng.IntN(len(k.views)-1)) % len(k.views)
	if rng.IntN(2) == 0 {
		require.NoError(k.t, k.views[old].p.Resign(k.t.Context(), ""))
	} else {
		defer k.views[old].shut(k.t)()
	}
	k.lead(next)
	primary.Store(int64(next))
}

// settle has all partitions learn who the primary is.
func (k *crew) settle(primary int) {
	for i, v := range k.views {
		if i != primary && partition.RoleOf(v.p) == "primary" {
			_ = write(v.p, -2)
		}
	}
	require.NoError(k.t, write(k.views[primary].p, -3))
	k.agree(primary)
}
