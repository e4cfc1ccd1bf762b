package replication

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/record"
)

// follower applies a log that others write.
type follower struct {
	log  *Log
	seen chan record.Group // without their records
	end  context.CancelFunc
	err  chan error
}

func startFollowing(t testing.TB, l *Log, after uint64) *follower {
	t.Helper()
	ctx, end := context.WithCancel(t.Context())
	f := &follower{log: l, seen: make(chan record.Group, 1000), end: end, err: make(chan error, 1)}
	go func() {
		f.err <- l.Follow(ctx, after, func(g record.Group) error {
			f.seen <- record.Group{Position: g.Position, Clock: g.Clock, Records: append([]byte(nil), g.Records...)}
			return nil
		})
	}()
	t.Cleanup(f.stop)
	return f
}

func (f *follower) stop() { f.end() }

// reach waits until the follower has come to a position, and returns the numbers of what counted on the way.
func (f *follower) reach(t testing.TB, position uint64) (got []uint64) {
	t.Helper()
	collect := into(&got)
	for {
		select {
		case g := <-f.seen:
			require.NoError(t, collect(g))
			if g.Position == position {
				return got
			}
		case err := <-f.err:
			require.NoError(t, err)
		}
	}
}

func TestFollow_AppliesWhatAnotherAppends(t *testing.T) {
	t.Parallel()
	writer := primary(t, open(t, Config{Followers: true}))
	appendAll(t, writer, 1, 2)
	f := startFollowing(t, rival(t, writer), 0)
	require.Equal(t, upTo(2), f.reach(t, 3))
	for n := uint64(3); n < 10; n++ {
		appendAll(t, writer, n, n)
		require.Equal(t, []uint64{n}, f.reach(t, writer.Last()))
		require.Equal(t, writer.Last(), f.log.Last())
	}
	require.Equal(t, Primary{Since: 1, Store: writer.store.ID()}, f.log.Primary())
	require.ErrorIs(t, f.log.Append(commit(99, 10)), ErrNotPrimary, "a follower appends nothing")
	f.stop()
	require.ErrorIs(t, <-f.err, context.Canceled)
}

func TestClaim_OneOfTwoWins(t *testing.T) {
	t.Parallel()
	old := primary(t, open(t, Config{Followers: true}))
	appendAll(t, old, 1, 3)
	candidates := []*Log{rival(t, old), rival(t, old)}
	ends := make([]uint64, len(candidates))
	for i, l := range candidates {
		var err error
		ends[i], err = l.CatchUp(t.Context(), 0, ignore, nil)
		require.NoError(t, err)
	}
	errs := make(chan error, len(candidates))
	for i, l := range candidates {
		go func() {
			_, err := l.Claim(t.Context(), ends[i], record.Clock{})
			errs <- err
		}()
	}
	first, second := <-errs, <-errs
	if first != nil {
		first, second = second, first
	}
	require.NoError(t, first)
	require.ErrorIs(t, second, ErrFenced)
	var fenced interface{ Fenced() bool }
	require.ErrorAs(t, second, &fenced)

	winner, loser := candidates[0], candidates[1]
	if winner.Stats().Epoch == 0 {
		winner, loser = loser, winner
	}
	require.Equal(t, ends[0]+1, winner.Stats().Epoch, "the epoch is the position of the claim")
	require.Zero(t, loser.Stats().Epoch)
	require.ErrorIs(t, loser.Append(commit(99, 10)), ErrFenced)
	f := startFollowing(t, loser, ends[0])
	appendAll(t, winner, 4, 5)
	require.Equal(t, []uint64{4, 5}, f.reach(t, winner.Last()))
	require.NoError(t, winner.Stats().Failed, "who has lost does not claim by itself")
}

func TestClaim_OfAStalePositionIsRefused(t *testing.T) {
	t.Parallel()
	l := primary(t, open(t, Config{Followers: true}))
	appendAll(t, l, 1, 2)
	young := rival(t, l)
	for stale := range l.Last() {
		_, err := young.Claim(t.Context(), stale, record.Clock{})
		require.ErrorIs(t, err, ErrFenced)
		require.ErrorContains(t, err, "wrong last sequence: 3")
	}
	appendAll(t, l, 3, 3)
	require.Equal(t, upTo(3), tailed(t, l, 0, 3))
}

// The server also refuses a claim that another message has overtaken since the candidate looked.
func TestClaim_IsOvertaken(t *testing.T) {
	t.Parallel()
	l := primary(t, open(t, Config{Followers: true}))
	appendAll(t, l, 1, 2)
	young := rival(t, l)
	require.NoError(t, filesOf(young).connectLocked())
	_, err := young.home.publish(t.Context(), young.claim(intent{follows: 2}, record.Clock{}), 2)
	require.ErrorIs(t, err, ErrFenced)
	appendAll(t, l, 3, 3)
}

func TestFenced_AppendsNothingMore(t *testing.T) {
	t.Parallel()
	old := primary(t, open(t, Config{Followers: true}))
	appendAll(t, old, 1, 2)
	young := rival(t, old)
	require.Equal(t, upTo(2), replayed(t, young))
	f := startFollowing(t, young, 0)
	for n := range uint64(5) {
		require.ErrorIs(t, old.Append(commit(90+n, 10)), ErrFenced)
		require.ErrorIs(t, old.Resign("", record.Clock{}), ErrFenced)
	}
	appendAll(t, young, 3, 3)
	require.Equal(t, upTo(3), f.reach(t, young.Last()))
	require.EqualValues(t, 5, young.Last(), "two commits, two claims, a commit")
	require.Equal(t, []uint64{3}, startFollowing(t, old, 3).reach(t, 5), "it follows")
}

func TestResign_TheHeirClaims(t *testing.T) {
	t.Parallel()
	old := primary(t, open(t, Config{Followers: true}))
	appendAll(t, old, 1, 2)
	heir := rival(t, old)
	f := startFollowing(t, heir, 0)
	require.Equal(t, upTo(2), f.reach(t, 3))
	require.NoError(t, old.Resign("the heir", record.Clock{}))
	require.ErrorIs(t, old.Append(commit(99, 10)), ErrNotPrimary)
	require.ErrorIs(t, old.Resign("", record.Clock{}), ErrNotPrimary)
	require.Empty(t, f.reach(t, 4))
	require.Equal(t, Primary{Since: 4, Heir: "the heir"}, heir.Primary())
	require.Equal(t, heir.Primary(), old.Primary())

	claim, err := heir.Claim(t.Context(), 4, record.Clock{})
	require.NoError(t, err)
	require.Equal(t, record.Group{Position: 5, Claimed: true}, claim)
	require.Equal(t, Primary{Since: 5, Store: old.store.ID()}, heir.Primary())
	appendAll(t, heir, 3, 4)
	require.Equal(t, upTo(4)[2:], f.reach(t, 7))
	require.Equal(t, upTo(4), tailed(t, old, 0, 4))
	require.Equal(t, upTo(4), between(t, old, 1, 7))
}

// Every message with an effect has the primary's clock.
func TestFollow_ClocksOfThePrimary(t *testing.T) {
	t.Parallel()
	old := primary(t, open(t, Config{Followers: true}))
	f := startFollowing(t, rival(t, old), 0)
	told := record.Clock{Space: 17, Wall: 18}
	msg := commit(1, 10)
	record.SetClock(msg, told)
	require.NoError(t, old.Append(msg))
	stale := slices.Clone(msg)
	resigned := record.Clock{Space: 19, Wall: 20}
	require.NoError(t, old.Resign("", resigned)) // 3
	intrude(t, old, stale)
	end, err := old.CatchUp(t.Context(), 0, ignore, nil)
	require.NoError(t, err)
	claimed := record.Clock{Space: 21, Wall: 22}
	claim, err := old.Claim(t.Context(), end, claimed)
	require.NoError(t, err)
	require.Equal(t, record.Group{Position: 5, Clock: claimed, Claimed: true}, claim)
	for _, want := range []record.Clock{{}, told, resigned, {}, claimed} {
		require.Equal(t, want, (<-f.seen).Clock)
	}
}

// A snapshot also has the clock, including where it is restored.
func TestLoad_ClockOfThePrimary(t *testing.T) {
	t.Parallel()
	l := primary(t, open(t, Config{Followers: true}))
	told := record.Clock{Space: 17, Wall: 18}
	s, err := l.Snapshot(1, told)
	require.NoError(t, err)
	require.NoError(t, s.Commit())
	file, err := l.OpenSnapshot(1)
	require.NoError(t, err)
	defer file.Close()
	restored := idle(t, open(t, Config{Followers: true}))
	_, err = restored.Restore(file)
	require.NoError(t, err)
	for _, l := range []*Log{l, restored} {
		_, clock, err := l.Load(t.Context(), func([]byte) error { return nil }, nil)
		require.NoError(t, err)
		require.Equal(t, told, clock)
	}
}

// Messages of a primary that was replaced or has resigned have no effect, wherever a reader begins.
func TestResign_EndsTheEpoch(t *testing.T) {
	t.Parallel()
	l := primary(t, open(t, Config{Followers: true})) // position 1
	appendAll(t, l, 1, 1)
	require.NoError(t, l.Resign("", record.Clock{})) // 3
	intrude(t, l, ofEpoch(1, 98))
	resign := record.AppendHeader(nil, record.Header{Type: record.Resign, Epoch: 1})
	require.Equal(t, upTo(1), replayed(t, l)) // 5
	intrude(t, l, resign)                     // of another epoch: it is skipped
	intrude(t, l, ofEpoch(1, 99))
	require.ErrorIs(t, l.Append(commit(97, 10)), ErrFenced)
	require.Equal(t, upTo(1), replayed(t, l)) // 8
	appendAll(t, l, 2, 2)
	for after, want := range map[uint64][]uint64{0: {1, 2}, 2: {2}, 3: {2}, 4: {2}, 5: {2}, 6: {2}, 8: {2}} {
		for _, reader := range []*Log{l, rival(t, l)} {
			require.Equal(t, want, tailed(t, reader, after, len(want)), "after %d", after)
		}
	}
}

// A candidate that reads a log while that grows takes nothing for lost.
func TestClaim_OfALogThatGrew(t *testing.T) {
	t.Parallel()
	l := primary(t, open(t, Config{Followers: true}))
	var written atomic.Bool
	var writing sync.WaitGroup
	defer writing.Wait()
	writing.Go(func() {
		defer written.Store(true)
		for n := uint64(1); n <= 500; n++ {
			if err := l.Append(commit(n, 10)); err != nil {
				return // it was fenced
			}
		}
	})
	for !written.Load() {
		young := rival(t, l)
		end, err := young.CatchUp(t.Context(), 0, ignore, nil)
		require.NoError(t, err)
		require.GreaterOrEqual(t, filesOf(young).ended(end).last, end)
		if _, err := young.Claim(t.Context(), end, record.Clock{}); err == nil {
			break
		}
	}
	st, err := l.serverState(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, st.FirstSeq, "all is there")
}
