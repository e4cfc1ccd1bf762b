package partition_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/txn"
)

// anything is the set of all event types.
func anything() call.EventSet {
	return call.Events(call.Written, call.Taken, call.Expired, call.Cancelled, call.Renewed, call.Updated,
		call.Visible, call.Available)
}

// program makes random calls of all kinds on a partition.
type program struct {
	*testing.T
	p    *partition.Partition
	c    *caller
	call uint64
	rand *rand.Rand
	ids  []uint64 // of written entries
	txns []uint64 // begun transactions
}

// do makes a call and waits for its outcome.
func (pr *program) do(f func(c partition.Caller, callID uint64)) *outcome {
	pr.call++
	f(pr.c, pr.call)
	return pr.c.await(pr.call)
}

func (pr *program) under() txn.ID {
	if len(pr.txns) == 0 || pr.rand.IntN(2) == 0 {
		return txn.ID{}
	}
	return txn.ID{Number: pr.txns[pr.rand.IntN(len(pr.txns))]}
}

func (pr *program) entry() uint64 {
	if len(pr.ids) == 0 {
		return 1
	}
	return pr.ids[pr.rand.IntN(len(pr.ids))]
}

// unlock ends a read lock: only then does an entry become available without any other event. On a slow machine steps
// hardly ever do so.
func (pr *program) unlock() {
	const key = 7 // not used by steps
	pr.do(func(c partition.Caller, callID uint64) { pr.p.Write(c, callID, txn.ID{}, call.Request{}, draft(key)) })
	o := pr.do(func(c partition.Caller, callID uint64) { pr.p.BeginTxn(c, callID, call.Forever, call.Request{}, "") })
	q := query(key, false)
	q.Txn = txn.ID{Number: o.grants[0].ID}
	require.NoError(pr, pr.do(func(c partition.Caller, callID uint64) { pr.p.Find(c, callID, q, 0) }).err)
	pr.do(func(c partition.Caller, callID uint64) { pr.p.Commit(c, callID, q.Txn, call.Request{}, nil) })
}

// step makes one call, which may fail.
func (pr *program) step() {
	p, r := pr.p, pr.rand
	key := r.Int64N(4)
	switch r.IntN(12) {
	case 0, 1, 2:
		ds := append(draft(key), draft(r.Int64N(4))...)
		ds[0].Lease = []int64{call.Forever, int64(time.Millisecond)}[r.IntN(2)]
		ds[1].Delay = []int64{0, int64(time.Millisecond)}[r.IntN(2)]
		o := pr.do(func(c partition.Caller, callID uint64) { p.Write(c, callID, pr.under(), call.Request{}, ds) })
		for _, g := range o.grants {
			pr.ids = append(pr.ids, g.ID)
		}
	case 3, 4, 5:
		q := query(key, r.IntN(3) > 0)
		q.Txn = pr.under()
		pr.do(func(c partition.Caller, callID uint64) { p.Find(c, callID, q, 0) })
	case 6:
		pr.do(func(c partition.Caller, callID uint64) {
			p.Update(c, callID, pr.under(), call.Request{}, call.Change{ID: pr.entry(), Row: rowOf(key)})
		})
	case 7:
		pr.do(func(c partition.Caller, callID uint64) {
			p.Renew(c, callID, call.Request{}, int64(time.Hour), []uint64{pr.entry()})
		})
	case 8:
		pr.do(func(c partition.Caller, callID uint64) { p.Cancel(c, callID, call.Request{}, []uint64{pr.entry()}) })
	case 9:
		o := pr.do(func(c partition.Caller, callID uint64) { p.BeginTxn(c, callID, int64(time.Hour), call.Request{}, "") })
		pr.txns = append(pr.txns, o.grants[0].ID)
	case 10:
		pr.do(func(c partition.Caller, callID uint64) {
			p.Defer(c, callID, pr.under(), pr.entry(), int64(time.Millisecond))
		})
	case 11:
		id := pr.under()
		if r.IntN(2) == 0 {
			pr.do(func(c partition.Caller, callID uint64) { p.Abort(c, callID, id) })
		} else {
			pr.do(func(c partition.Caller, callID uint64) { p.Commit(c, callID, id, call.Request{}, nil) })
		}
	}
}

// Whatever happens, the log has the same events as memory: a listener that comes late, or after a restart, gets the
// same.
func TestListener_LogAndMemoryTellTheSame(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			log := openLog(t)
			p := keeps(t, log, 1)
			watch := func(on call.EventSet, room int) (*caller, uint64) {
				c := newCaller()
				c.room = room
				p.Notify(c, 1, everything(), on, call.Forever)
				require.NoError(t, c.await(1).err)
				return c, c.await(1).grants[0].ID
			}
			live, id := watch(anything(), 1<<30)
			_, late := watch(anything(), 0)
			pr := &program{T: t, p: p, c: newCaller(), rand: rand.New(rand.NewPCG(seed, 1))}
			pr.unlock()
			// On a slow machine leases end before anything else happens to their entries, so this runs longer.
			for round := 0; round < 10 && len(live.types()) < 8; round++ {
				for range 2000 {
					pr.step()
				}
			}
			types := live.types()
			want := live.seen()
			for i := range want {
				require.Equal(t, uint64(i+1), want[i].Seq)
			}
			require.Len(t, types, 8, "everything has happened: %v", types)

			check := func(p *partition.Partition, registration uint64) {
				c := newCaller()
				p.Attach(c, 1, registration, 0)
				for i, ev := range c.collect(len(want))[:len(want)] { // leases may have ended since
					ev.Registration = id
					require.Equal(t, want[i], ev)
				}
				p.Gone(c)
			}
			check(p, late)
			require.NoError(t, p.Close())
			check(keeps(t, log, 1), late)
		})
	}
}

// An event is in the log before any listener gets it, even if it is the only record: its number must not be reused.
func TestListener_EventsWaitForTheLog(t *testing.T) {
	t.Parallel()
	log := openLog(t)
	p := keeps(t, log, 10)
	c := newCaller()
	p.Notify(c, 1, everything(), call.Events(call.Available), call.Forever)
	p.Write(c, 2, txn.ID{}, call.Request{}, draft(1))
	p.BeginTxn(c, 3, call.Forever, call.Request{}, "")
	id := txn.ID{Number: c.await(3).grants[0].ID}
	taken := query(1, true)
	taken.Txn = id
	p.Find(c, 4, taken, 0)
	require.NoError(t, c.await(4).err)
	require.Equal(t, 0, c.early)

	open := log.shut(t)
	p.Abort(c, 5, id)
	require.Len(t, c.collect(2), 2)
	require.Equal(t, 0, c.early, "the put back is no record, but the event of it is")
	open()
	p.Write(c, 6, txn.ID{}, call.Request{}, draft(2))
	require.NoError(t, c.await(6).err)
	require.Equal(t, p.Hash(), rebuilt(t, log))
}

// A registration under a transaction gets events about the transaction's writes before any other caller sees them, and
// ends with it. The log does not have it.
func TestListener_UnderATransaction(t *testing.T) {
	t.Parallel()
	log := openLog(t)
	p := keeps(t, log, 2)
	c, w := newCaller(), newCaller()
	p.BeginTxn(w, 1, call.Forever, call.Request{}, "")
	id := txn.ID{Number: w.await(1).grants[0].ID}
	q := everything()
	q.Txn = id
	c.room = 4
	p.Notify(c, 1, q, call.Events(call.Written), call.Forever)
	registration := c.await(1).grants[0].ID
	for key := range int64(8) {
		p.Write(w, uint64(key)+10, id, call.Request{}, draft(key))
		require.NoError(t, w.await(uint64(key)+10).err)
	}
	require.Len(t, c.seen(), 4)
	p.Commit(w, 20, id, call.Request{}, nil)
	require.NoError(t, w.await(20).err)
	require.False(t, c.ended, "there is more before the end")

	last := newCaller()
	p.Attach(last, 1, registration, 4)
	events := last.collect(3)
	require.Equal(t, call.Gap, events[0].Type, "only memory held them")
	require.Equal(t, call.GapOverflow, events[0].Cause)
	require.Equal(t, uint64(6), events[0].Seq)
	require.Equal(t, uint64(8), events[2].Seq)
	require.True(t, last.ended)
	p.Attach(last, 2, registration, 8)
	require.ErrorIs(t, last.await(2).err, call.ErrLeaseEnded)
	require.NoError(t, p.Close())
	again := keeps(t, log, 2)
	again.Attach(last, 3, registration, 0)
	require.ErrorIs(t, last.await(3).err, call.ErrLeaseEnded)
}

// After a crash it is unknown what the aborted transactions had locked, so registrations for availability get a gap.
func TestListener_RestartIsAGapInWhatIsAvailable(t *testing.T) {
	t.Parallel()
	log := openLog(t)
	p := keeps(t, log, 1)
	c := newCaller()
	p.Notify(c, 1, everything(), call.Events(call.Written), call.Forever)
	p.Notify(c, 2, everything(), call.Events(call.Written, call.Available), call.Forever)
	written, available := c.await(1).grants[0].ID, c.await(2).grants[0].ID
	for restarts := range 3 {
		p.Write(c, uint64(10+restarts), txn.ID{}, call.Request{}, draft(1))
		require.NoError(t, c.await(uint64(10+restarts)).err)
		require.NoError(t, p.Close())
		p = keeps(t, log, 1)
	}
	for _, want := range []struct {
		registration uint64
		types        []call.EventType
	}{
		{written, []call.EventType{call.Written, call.Written, call.Written}},
		{available, []call.EventType{call.Written, call.Gap, call.Written, call.Gap, call.Written, call.Gap}},
	} {
		n := newCaller()
		p.Attach(n, 1, want.registration, 0)
		var types []call.EventType
		for i, ev := range n.collect(len(want.types)) {
			types = append(types, ev.Type)
			require.Equal(t, uint64(i+1), ev.Seq)
		}
		require.Equal(t, want.types, types)
	}
}
