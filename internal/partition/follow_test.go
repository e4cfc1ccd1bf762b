package partition_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/replication"
	"github.com/gospaces/gospaces/txn"
)

// view is a partition's view of a log that it shares. Every state that it applies from the log is compared with those
// of the others at the same position.
type view struct {
	gate
	p      *partition.Partition
	states *states
	loads  atomic.Int32 // how often it was read from its beginning

	distrusted atomic.Int32 // how often its images were

	claiming func()                              // called before a claim
	served   atomic.Pointer[call.ElsewhereError] // where, if not as its log tells
}

// states are the hashes of states by position.
type states struct {
	mu  sync.Mutex
	at  map[uint64]uint64
	err error
}

// compare takes note of the state of p, which follows.
func (s *states) compare(p *partition.Partition, position, hash uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if was, ok := s.at[position]; ok && was != hash {
		s.err = errors.Join(s.err, fmt.Errorf("position %d: the states differ", position))
	}
	s.at[position] = hash
}

func (v *view) Follow(ctx context.Context, after uint64, apply func(record.Group) error) error {
	if position, hash := partition.At(v.p); position == after { // it is as it was applied, or as it was made
		v.states.compare(v.p, position, hash)
	}
	return v.Log.Follow(ctx, after, func(g record.Group) error {
		err := apply(g)
		_, hash := partition.At(v.p)
		v.states.compare(v.p, g.Position, hash)
		return err
	})
}

func (v *view) CatchUp(
	ctx context.Context, after uint64, apply func(record.Group) error, progress func(done, total uint64),
) (uint64, error) {
	v.loads.Add(1)
	return v.Log.CatchUp(ctx, after, func(g record.Group) error {
		err := apply(g)
		v.states.compare(v.p, g.Position, v.p.Hash())
		return err
	}, progress)
}

func (v *view) Distrust() error {
	v.distrusted.Add(1)
	return v.Log.Distrust()
}

func (v *view) Claim(ctx context.Context, follows uint64, clock record.Clock) (record.Group, error) {
	if v.claiming != nil {
		v.claiming()
	}
	return v.Log.Claim(ctx, follows, clock)
}

// crew is some partitions that share a log.
type crew struct {
	t      *testing.T
	store  *replication.Store
	states *states
	views  []*view
	walls  []time.Duration // by how much the wall clocks differ
	cfg    partition.Config

	primary atomic.Pointer[partition.Partition] // the last
}

func newCrew(t *testing.T, walls ...time.Duration) *crew {
	t.Helper()
	return newCrewWith(t, partition.Config{}, walls...)
}

// newCrewWith is newCrew for partitions with other settings than the defaults.
func newCrewWith(t *testing.T, cfg partition.Config, walls ...time.Duration) *crew {
	t.Helper()
	store, err := replication.Open(t.Context(), replication.Config{Dir: t.TempDir(), Followers: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	k := &crew{t: t, store: store, states: &states{at: map[uint64]uint64{}}, walls: walls, cfg: cfg}
	for i := range walls {
		k.join(i)
	}
	c := newCaller()
	k.lead(0).Register(c, 1, job)
	require.NoError(t, c.await(1).err)
	return k
}

// join starts a partition that follows.
func (k *crew) join(i int) *partition.Partition {
	k.t.Helper()
	l, err := k.store.Replica(k.t.Context(), "test", 0, fmt.Sprint(i))
	require.NoError(k.t, err)
	v := &view{gate: gate{Log: l}, states: k.states}
	cfg := k.cfg
	cfg.Log, cfg.Standby = v, true
	cfg.Wall = func() time.Time { return time.Now().Add(k.walls[i]) }
	if cfg.Time == nil {
		cfg.Time = k.time
	}
	cfg.Primary = func() *call.ElsewhereError {
		if at := v.served.Load(); at != nil {
			return at
		}
		at := l.Primary()
		return &call.ElsewhereError{
			At: cfg.Address, Node: "node " + cmp.Or(at.Store, at.Heir), Epoch: call.Epoch{Claim: at.Since},
		}
	}
	v.p = partition.New(cfg)
	require.NoError(k.t, v.p.Start(k.t.Context(), nil))
	k.t.Cleanup(func() { require.NoError(k.t, v.p.Close()) })
	k.views = append(k.views, v)
	return v.p
}

// time returns the time of the space if there is a primary.
func (k *crew) time(context.Context) (int64, error) {
	p := k.primary.Load()
	if p == nil {
		return 0, errors.New("there is no primary")
	}
	return partition.TimeOf(p), p.Err()
}

// lead makes a partition the primary, however often another is faster.
func (k *crew) lead(i int) *partition.Partition {
	k.t.Helper()
	p := k.views[i].p
	for {
		followed, _ := partition.At(p)
		err := p.Lead(k.t.Context())
		if err == nil {
			k.primary.Store(p)
			return p
		}
		require.ErrorIs(k.t, err, call.ErrElsewhere)
		require.Eventually(k.t, func() bool {
			position, _ := partition.At(p)
			return position != followed
		}, time.Minute, time.Millisecond, "it reads on")
	}
}

// agree waits until all partitions have applied all, and follow but for one, and compares them.
func (k *crew) agree(primary int) {
	k.t.Helper()
	end, hash := partition.At(k.views[primary].p)
	for _, v := range k.views {
		require.Eventually(k.t, func() bool {
			position, _ := partition.At(v.p)
			return position >= end
		}, time.Minute, time.Millisecond)
		require.Equal(k.t, hash, v.p.Hash())
	}
	k.states.mu.Lock()
	defer k.states.mu.Unlock()
	require.NoError(k.t, k.states.err)
}

// forgive forgets the states and how they differed.
func (k *crew) forgive() {
	k.states.mu.Lock()
	defer k.states.mu.Unlock()
	k.states.err = nil
	clear(k.states.at)
}

// write writes a job, and returns what came of it.
func write(p *partition.Partition, key int64) error {
	c := newCaller()
	p.Write(c, 1, txn.ID{}, call.Request{}, draft(key))
	return c.await(1).err
}

func find(p *partition.Partition, q *call.Query, wait time.Duration) error {
	c := newCaller()
	p.Find(c, 1, q, wait)
	return c.await(1).err
}

func TestFollower_KeepsTheStateAndServesNoCall(t *testing.T) {
	t.Parallel()
	k := newCrew(t, 0, 0)
	p, q := k.views[0].p, k.views[1].p
	for key := range int64(20) {
		require.NoError(t, write(p, key))
	}
	k.agree(0)
	require.ErrorIs(t, q.Err(), call.ErrElsewhere)
	for _, err := range []error{write(q, 1), find(q, query(1, false), 0), find(q, query(99, true), -1)} {
		require.ErrorIs(t, err, call.ErrElsewhere)
		require.ErrorIs(t, err, call.ErrUnavailable)
	}
	_, _, err := q.OpenSession(call.Client{1}, 0)
	require.ErrorIs(t, err, call.ErrElsewhere)
	require.ErrorIs(t, q.Resign(t.Context(), ""), call.ErrElsewhere)
	require.NoError(t, p.Lead(t.Context()), "it does already")
	k.agree(0)
}

// A client of a follower learns where to go, as soon as the follower knows.
func TestFollower_TellsWhereThePartitionIsServed(t *testing.T) {
	t.Parallel()
	k := newCrew(t, 0, 0)
	p, q := k.views[0].p, k.views[1].p
	told := func(err error) string {
		at, ok := errors.AsType[*call.ElsewhereError](err)
		require.True(t, ok, err)
		return fmt.Sprint(at.Node, " since ", at.Epoch.Claim)
	}
	k.agree(0)
	require.Equal(t, "node 0 since 1", told(write(q, 1)))
	require.NoError(t, p.Resign(t.Context(), "1"))
	resigned := k.views[0].Last()
	heir := fmt.Sprint("node 1 since ", resigned)
	require.Equal(t, heir, told(write(p, 1)))
	require.Eventually(t, func() bool { return told(write(q, 1)) == heir }, time.Minute, time.Millisecond)
	k.lead(1)
	require.Eventually(t, func() bool {
		return told(write(p, 1)) == fmt.Sprint("node 1 since ", resigned+1)
	}, time.Minute, time.Millisecond, "of a claim, too, which changes nothing")
	_, _, err := p.OpenSession(call.Client{1}, 0)
	told(err)
}

// The heir leads at once: nothing is read anew, neither here nor there.
func TestResign_TheHeirGoesOn(t *testing.T) {
	t.Parallel()
	k := newCrew(t, 0, 0)
	p, q := k.views[0].p, k.views[1].p
	require.NoError(t, write(p, 1))
	waits, listens := newCaller(), newCaller()
	p.Notify(listens, 1, query(1, false), 0, call.Forever)
	registration := listens.await(1).grants[0].ID
	p.Find(waits, 1, query(2, true), -1)
	open := newCaller()
	for _, number := range []uint64{1, 2, 3} { // one only takes, one writes, one does nothing
		p.BeginTxn(open, number, call.Forever, call.Request{}, "")
		require.NoError(t, open.await(number).err)
	}
	under := func(i uint64) txn.ID { return txn.ID{Number: open.replies[i].grants[0].ID} }
	take := query(1, true)
	take.Txn = under(1)
	require.NoError(t, find(p, take, 0))
	p.Write(open, 4, under(2), call.Request{}, draft(3))
	require.NoError(t, open.await(4).err)
	_, _, err := p.OpenSession(call.Client{1}, 0) // without outcomes
	require.NoError(t, err)

	require.NoError(t, p.Resign(t.Context(), "1"))
	require.Equal(t, "follower", partition.RoleOf(p))
	require.ErrorIs(t, waits.await(1).err, call.ErrElsewhere)
	require.Eventually(t, func() bool {
		listens.mu.Lock()
		defer listens.mu.Unlock()
		return errors.Is(listens.lost, call.ErrElsewhere)
	}, time.Minute, time.Millisecond)
	require.Equal(t, "1", k.views[0].Primary().Heir)
	require.ErrorIs(t, write(p, 5), call.ErrElsewhere)
	k.lead(1)
	require.Equal(t, "1", k.views[1].Primary().Store)
	for _, v := range k.views {
		require.EqualValues(t, 1, v.loads.Load())
	}

	_, _, err = q.OpenSession(call.Client{2}, 0)
	require.NoError(t, err)
	require.ErrorIs(t, find(q, query(1, false), 0), call.ErrNoMatch, "it is held")
	for i, want := range map[uint64]error{1: nil, 2: call.ErrTxnEnded, 3: call.ErrTxnEnded} {
		c := newCaller()
		q.Commit(c, 1, under(i), call.Request{}, nil)
		require.ErrorIs(t, c.await(1).err, want)
	}
	require.NoError(t, write(q, 1))
	k.agree(1)
	require.NoError(t, q.Resign(t.Context(), "0"))
	k.lead(0)
	again := newCaller()
	p.Attach(again, 1, registration, 0)
	require.EqualValues(t, 1, again.await(1).seq, "it has counted on")
	k.agree(0)
}

// A claim that another message has overtaken changes nothing: the candidate follows, and may claim again.
func TestLead_OvertakenFollowsOn(t *testing.T) {
	t.Parallel()
	k := newCrew(t, 0, 0)
	p, q := k.views[0].p, k.views[1].p
	once := sync.OnceFunc(func() { require.NoError(t, write(p, 1)) })
	k.agree(0)
	k.views[1].claiming = once
	require.ErrorIs(t, q.Lead(t.Context()), call.ErrElsewhere)
	require.NoError(t, write(p, 2))
	k.agree(0)
	require.NoError(t, q.Lead(t.Context()))
	require.NoError(t, find(q, query(1, true), 0))
	require.NoError(t, find(q, query(2, true), 0))
	k.agreeAfterFence(0, 1)
}

// Two think that they are the primary: what the old one does has no effect, it says so, and it follows.
func TestFenced_StepsDownAndFollows(t *testing.T) {
	t.Parallel()
	k := newCrew(t, 0, 0)
	p, q := k.views[0].p, k.views[1].p
	require.NoError(t, write(p, 1))
	k.agree(0)
	open := k.views[0].shut(t)
	c := newCaller()
	p.Find(c, 1, query(1, true), 0)
	require.True(t, c.held(1))
	k.lead(1)
	require.NoError(t, find(q, query(1, true), 0))
	require.NoError(t, write(q, 2))
	open()
	require.ErrorIs(t, c.await(1).err, call.ErrUnavailable, "it has not taken what the other took")
	require.Eventually(t, func() bool { return partition.RoleOf(p) == "follower" }, time.Minute, time.Millisecond)
	k.agree(1)
	require.Equal(t, "1", k.views[0].Primary().Store, "it does not claim by itself")
	k.lead(0)
	require.NoError(t, find(p, query(2, true), 0))
	require.ErrorIs(t, find(p, query(1, true), 0), call.ErrNoMatch)
	k.agreeAfterFence(1, 0)
}

// agreeAfterFence is agree, after a write by which the fenced partition learns that it is.
func (k *crew) agreeAfterFence(fenced, primary int) {
	k.t.Helper()
	require.ErrorIs(k.t, write(k.views[fenced].p, 77), call.ErrUnavailable)
	k.agree(primary)
}

// The next primary goes on with the time of the space, though its wall clock is an hour off.
func TestFollower_GoesOnWithThePrimarysTime(t *testing.T) {
	t.Parallel()
	for _, off := range []time.Duration{-time.Hour, time.Hour} {
		k := newCrew(t, 0, off, -off)
		p := k.views[0].p
		for key, lease := range map[int64]time.Duration{1: 10 * time.Minute, 2: 50 * time.Minute} {
			d := draft(key)
			d[0].Lease = int64(lease)
			c := newCaller()
			p.Write(c, 1, txn.ID{}, call.Request{}, d)
			require.NoError(t, c.await(1).err)
		}
		for _, v := range k.views { // a follower that has not asked yet does not know the present
			require.Eventually(t, func() bool { return partition.KnowsTime(v.p) }, time.Minute, time.Millisecond)
		}
		require.NoError(t, write(p, 3))
		k.agree(0)
		for i := range k.views {
			i = (i + 1) % len(k.views)
			require.NoError(t, k.views[(i+2)%3].p.Resign(t.Context(), ""))
			p := k.lead(i)
			require.NoError(t, find(p, query(1, false), 0), "it has not expired")
			require.NoError(t, find(p, query(2, false), 0))
			require.NoError(t, write(p, 3))
			k.agree(i)
		}
	}
}

// A follower builds the indexes of its primary beside what it applies.
func TestFollower_BuildsIndexes(t *testing.T) {
	t.Parallel()
	k := newCrew(t, 0, 0)
	p, q := k.views[0].p, k.views[1].p
	var drafts []call.Draft
	for key := range int64(4000) {
		drafts = append(drafts, draft(key)...)
	}
	c := newCaller()
	p.Write(c, 1, txn.ID{}, call.Request{}, drafts)
	require.NoError(t, c.await(1).err)
	for key := range int64(10) {
		require.NoError(t, find(p, query(3999-key, false), 0))
	}
	require.NoError(t, write(p, 4000))
	k.agree(0)
	require.Eventually(t, func() bool { return !partition.Building(q) }, time.Minute, time.Millisecond)
	require.NotEmpty(t, indexes(t, q))
	require.Equal(t, indexes(t, p), indexes(t, q))
}

// indexes returns the shapes of a partition's indexes, according to an image: a follower takes them, too.
func indexes(t *testing.T, p *partition.Partition) (shapes []string) {
	t.Helper()
	image := new(sheet)
	_, err := p.Snapshot(t.Context(), func(uint64, record.Clock) (partition.Image, error) { return image, nil })
	require.NoError(t, err)
	var r record.Record
	for rest := image.records; len(rest) > 0; {
		rest, err = record.Next(rest, &r)
		require.NoError(t, err)
		if r.Op == record.Index {
			shapes = append(shapes, string(r.Body))
		}
	}
	return shapes
}

// A message of the log does not tell a follower the time, as it may be late: the primary does.
func TestFollower_AsksForTheTime(t *testing.T) {
	t.Parallel()
	var reached atomic.Bool
	k := newCrew(t, 0, 0)
	p := k.views[0].p
	require.NoError(t, k.views[1].p.Close())
	k.views = k.views[:1]
	k.cfg.Time = func(ctx context.Context) (int64, error) {
		if !reached.Load() {
			return 0, errors.New("the primary is not reached")
		}
		return k.time(ctx)
	}
	q := k.join(1)
	heard := func() bool { at, _ := partition.At(p); there, _ := partition.At(q); return there == at }
	for range 50 {
		require.NoError(t, write(p, 1))
		require.Eventually(t, heard, time.Minute, time.Millisecond)
	}
	require.False(t, partition.KnowsTime(q))
	reached.Store(true)
	require.Eventually(t, func() bool { return partition.KnowsTime(q) }, time.Minute, time.Millisecond)
	k.agree(0)
}
