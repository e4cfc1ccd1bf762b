package partition_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/txn"
)

var errNoRoom = fmt.Errorf("%w: in a test", call.ErrLogFull)

// desk makes calls and returns their outcomes.
type desk struct {
	*caller
	n uint64
}

// newDesk starts a partition with the job kind.
func newDesk(t *testing.T) (*tape, *partition.Partition, *desk) {
	log, d := new(tape), &desk{caller: newCaller()}
	p := partition.New(partition.Config{Log: log})
	require.NoError(t, p.Start(t.Context(), nil))
	require.NoError(t, d.do(func(c partition.Caller, n uint64) { p.Register(c, n, job) }).err)
	return log, p, d
}

func (d *desk) do(callID func(c partition.Caller, n uint64)) *outcome {
	d.n++
	callID(d.caller, d.n)
	return d.await(d.n)
}

// A throttled partition makes no record for a caller, and changes nothing. Calls that need no record go on.
func TestThrottle_RefusesWhatMakesTheLogLonger(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, p, d := newDesk(t)
		defer p.Close()
		client, _, err := p.OpenSession(call.Client{1}, 0)
		require.NoError(t, err)
		by := call.Request{Session: client, Number: 1}
		grant := d.do(func(c partition.Caller, n uint64) { p.Write(c, n, txn.ID{}, by, draft(1)) }).grants[0]
		d.do(func(c partition.Caller, n uint64) { p.Write(c, n, txn.ID{}, call.Request{}, draft(2)) })
		brief := draft(3)
		brief[0].Lease = int64(time.Minute)
		d.do(func(c partition.Caller, n uint64) { p.Write(c, n, txn.ID{}, call.Request{}, brief) })
		begin := func() txn.ID {
			g := d.do(func(c partition.Caller, n uint64) { p.BeginTxn(c, n, int64(time.Hour), call.Request{}, "") }).grants[0]
			return txn.ID{Number: g.ID}
		}
		take := func(key int64, under txn.ID) func(c partition.Caller, n uint64) {
			q := query(key, true)
			q.Txn = under
			return func(c partition.Caller, n uint64) { p.Find(c, n, q, 0) }
		}
		read := func(key int64) *outcome {
			return d.do(func(c partition.Caller, n uint64) { p.Find(c, n, query(key, false), 0) })
		}
		waiting := newCaller()
		p.Find(waiting, 1, query(9, true), -1)

		write := func(under txn.ID, key int64) func(c partition.Caller, n uint64) {
			return func(c partition.Caller, n uint64) { p.Write(c, n, under, call.Request{}, draft(key)) }
		}
		tx, idle := begin(), begin()
		require.NoError(t, d.do(write(begin(), 9)).err) // this reserves some thousands of numbers in the log
		p.Throttle(errNoRoom)
		before := log.Last()
		beginning := query(1, true)
		beginning.Begin, beginning.Lease = true, int64(time.Hour)
		for name, callID := range map[string]func(c partition.Caller, n uint64){
			"write":                    write(txn.ID{}, 4),
			"take":                     take(1, txn.ID{}),
			"take of nothing":          take(5, txn.ID{}),
			"take that waits":          func(c partition.Caller, n uint64) { p.Find(c, n, query(1, true), -1) },
			"take under a transaction": take(2, tx),
			"take that begins":         func(c partition.Caller, n uint64) { p.Find(c, n, beginning, 0) },
			"update": func(c partition.Caller, n uint64) {
				p.Update(c, n, txn.ID{}, call.Request{}, call.Change{ID: grant.ID, Kind: 1, Row: rowOf(8)})
			},
			"renewal": func(c partition.Caller, n uint64) {
				p.Renew(c, n, call.Request{}, call.Forever, []uint64{tx.Number, grant.ID})
			},
			"registration": func(c partition.Caller, n uint64) { p.Notify(c, n, query(1, false), 0, call.Forever) },
		} {
			require.Equal(t, errNoRoom, d.do(callID).err, name)
		}
		for name, callID := range map[string]func(c partition.Caller, n uint64){
			"write under a transaction": write(tx, 6),
			"renewal of a transaction": func(c partition.Caller, n uint64) {
				p.Renew(c, n, call.Request{}, call.Forever, []uint64{tx.Number})
			},
			"commit of nothing":          func(c partition.Caller, n uint64) { p.Commit(c, n, idle, call.Request{}, nil) },
			"kind that is known already": func(c partition.Caller, n uint64) { p.Register(c, n, job) },
			"count":                      func(c partition.Caller, n uint64) { p.Count(c, n, query(1, false)) },
		} {
			require.NoError(t, d.do(callID).err, name)
		}
		require.ErrorIs(t, d.do(func(c partition.Caller, n uint64) { p.Commit(c, n, tx, call.Request{}, nil) }).err,
			errNoRoom)
		require.ErrorIs(t, d.do(func(c partition.Caller, n uint64) { p.Commit(c, n, idle, call.Request{}, nil) }).err,
			call.ErrTxnEnded)
		had, err := p.Recall(d.caller, 1000, by)
		require.NoError(t, err)
		require.True(t, had, "a call that has had its outcome")
		require.Equal(t, grant, d.await(1000).grants[0])
		require.NoError(t, read(1).err)
		require.NoError(t, read(2).err)
		synctest.Wait()
		require.LessOrEqual(t, log.Last(), before+1, "nothing is in the log but the commit of nothing")
		st := p.Stats()
		require.Equal(t, errNoRoom, st.Throttle)
		require.Equal(t, uint64(10), st.Throttled)

		p.Throttle(nil)
		require.NoError(t, d.do(func(c partition.Caller, n uint64) { p.Commit(c, n, tx, call.Request{}, nil) }).err)
		require.NoError(t, read(6).err)
		require.NoError(t, d.do(write(txn.ID{}, 9)).err)
		require.NoError(t, waiting.await(1).err)
		require.NoError(t, p.Stats().Throttle)
	})
}

// Decisions of the partition itself, and calls that give something up, do not wait for room.
func TestThrottle_LeasesEndAndWhoGivesUpMay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, p, d := newDesk(t)
		defer p.Close()
		brief := draft(1)
		brief[0].Lease = int64(time.Minute)
		d.do(func(c partition.Caller, n uint64) { p.Write(c, n, txn.ID{}, call.Request{}, brief) })
		kept := d.do(func(c partition.Caller, n uint64) { p.Write(c, n, txn.ID{}, call.Request{}, draft(2)) }).grants[0]
		d.do(func(c partition.Caller, n uint64) { p.Write(c, n, txn.ID{}, call.Request{}, draft(3)) })
		begun := d.do(func(c partition.Caller, n uint64) { p.BeginTxn(c, n, int64(time.Hour), call.Request{}, "") })
		tx := txn.ID{Number: begun.grants[0].ID}
		q := query(3, true)
		q.Txn = tx
		require.NoError(t, d.do(func(c partition.Caller, n uint64) { p.Find(c, n, q, 0) }).err)
		waiting := newCaller()
		p.Find(waiting, 1, query(3, true), -1)

		p.Throttle(errNoRoom)
		before := log.Last()
		require.NoError(t, d.do(func(c partition.Caller, n uint64) { p.Cancel(c, n, call.Request{}, []uint64{kept.ID}) }).err)
		require.NoError(t, d.do(func(c partition.Caller, n uint64) { p.Abort(c, n, tx) }).err)
		require.NoError(t, waiting.await(1).err, "a take that waited before is served")
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Equal(t, before+3, log.Last(), "the end of a lease is in the log too")
		for key := range int64(3) {
			o := d.do(func(c partition.Caller, n uint64) { p.Find(c, n, query(key+1, false), 0) })
			require.ErrorIs(t, o.err, call.ErrNoMatch)
		}
	})
}

// The commit of a transaction over several partitions does not begin while one of them is throttled, and can be
// repeated later. A prepared transaction is completed.
func TestThrottle_SpansWaitOrAreCarriedThrough(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, func() *tape { return new(tape) })
		defer f.close()
		id := f.atWork()
		for _, name := range f.names() {
			f.parts[name].Throttle(errNoRoom)
			require.ErrorIs(t, f.commit(id), errNoRoom, name)
			f.parts[name].Throttle(nil)
			require.False(t, f.has("b", 2), "nothing has happened")
		}
		require.NoError(t, f.commit(id))
		require.True(t, f.has("c", 2))

		id, err := f.begin()
		require.NoError(t, err)
		require.NoError(t, f.spans.Join(id, f.parts["b"]))
		f.ok(func(c *caller) { f.parts["b"].Write(c, 1, id, call.Request{}, draft(3)) })
		prepared, err := f.prepare("b", id)
		require.NoError(t, err)
		require.True(t, prepared)
		f.parts["b"].Throttle(errNoRoom)
		require.NoError(t, f.parts["b"].Participant().Commit(t.Context(), id))
		require.True(t, f.has("b", 3))
		f.parts["b"].Throttle(nil)
	})
}

// fullness is the error of a log without room.
type fullness struct{ refusal }

func (fullness) Full() bool { return true }

func TestPartition_LogWithoutRoomIsFull(t *testing.T) {
	t.Parallel()
	log := openLog(t)
	p := start(t, log)
	c := newCaller()
	var once sync.Once
	log.set(func() (err error) {
		once.Do(func() { err = fmt.Errorf("append: %w", fullness{refusal{errors.New("the disk is full")}}) })
		return err
	}, nil)
	p.Write(c, 1, txn.ID{}, call.Request{}, draft(1))
	require.ErrorIs(t, c.await(1).err, call.ErrLogFull)
	require.ErrorIs(t, c.await(1).err, call.ErrUnavailable)
	require.NotErrorIs(t, c.await(1).err, call.ErrThrottled)
	require.Eventually(t, func() bool { return p.Stats().Err == nil }, time.Minute, time.Millisecond)
	p.Write(c, 2, txn.ID{}, call.Request{}, draft(1))
	require.NoError(t, c.await(2).err)
}

// A caller is told that a transaction has ended only when the log knows it: otherwise a crash could restore its locks.
func TestTxn_ThatItHasEndedIsToldWhenTheLogKnows(t *testing.T) {
	t.Parallel()
	log := openLog(t)
	p, d := start(t, log), &desk{caller: newCaller()}
	d.do(func(c partition.Caller, n uint64) { p.Write(c, n, txn.ID{}, call.Request{}, draft(1)) })
	g := d.do(func(c partition.Caller, n uint64) { p.BeginTxn(c, n, int64(time.Hour), call.Request{}, "") }).grants[0]
	q := query(1, true)
	q.Txn = txn.ID{Number: g.ID}
	require.NoError(t, d.do(func(c partition.Caller, n uint64) { p.Find(c, n, q, 0) }).err)
	open := log.shut(t)
	const abort, commit = 100, 101
	p.Abort(d.caller, abort, q.Txn)
	p.Commit(d.caller, commit, q.Txn, call.Request{}, nil)
	require.True(t, d.held(abort))
	require.True(t, d.held(commit))
	open()
	require.ErrorIs(t, d.await(commit).err, call.ErrTxnEnded)
}
