package replication

import (
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/record"
)

// replica returns another view of a store's log.
func replica(t testing.TB, s *Store, name string) *Log {
	t.Helper()
	l, err := s.Replica(t.Context(), "test", 0, name)
	require.NoError(t, err)
	return l
}

// What a tail has no room for, or was not told, its reader fetches.
func TestTail_GapsAreFetched(t *testing.T) {
	t.Parallel()
	const total, size = 100, 64 << 10
	s := open(t, Config{Followers: true})
	l := primary(t, s)
	appendAll(t, l, 1, 1)
	var got []uint64
	collect := into(&got)
	err := replica(t, s, "other").Follow(t.Context(), 0, func(g record.Group) error {
		if g.Position == 2 { // far more is told than is kept
			for n := uint64(2); n <= total; n++ {
				require.NoError(t, l.Append(commit(n, size)))
			}
		}
		if err := collect(g); err != nil {
			return err
		}
		if len(got) == total {
			return errDone
		}
		return nil
	})
	require.ErrorIs(t, err, errDone)
	require.Equal(t, upTo(total), got)
}

// The server closes a connection that it cannot write to, say. The reader opens another, and misses nothing.
func TestTail_OutlivesItsConnection(t *testing.T) {
	t.Parallel()
	s := open(t, Config{Followers: true})
	l := primary(t, s)
	f := startFollowing(t, replica(t, s, "other"), 0)
	f.reach(t, 1)
	srv, err := s.server()
	require.NoError(t, err)
	for n := uint64(1); n <= 5; n++ {
		require.Positive(t, dropTails(srv, l.id))
		appendAll(t, l, n, n)
		require.Equal(t, []uint64{n}, f.reach(t, l.Last()))
	}
}

// dropTails closes the connections of tails, and returns how many there were.
func dropTails(srv *embedded, id logID) (n int) {
	for n == 0 { // else they are being opened
		conns, err := srv.srv.Connz(&server.ConnzOptions{Subscriptions: true})
		if err != nil {
			return 0
		}
		for _, c := range conns.Conns {
			if len(c.Subs) > 0 && c.Subs[0] == id.tail() && srv.srv.DisconnectClientByID(c.Cid) == nil {
				n++
			}
		}
		time.Sleep(time.Millisecond)
	}
	return n
}

// The way of a failover asks the server for nothing but messages: its API is not answered while a cluster elects the
// leader of that.
func TestFailover_NeedsNoAPI(t *testing.T) {
	t.Parallel()
	s := open(t, Config{Followers: true})
	old := primary(t, s)
	appendAll(t, old, 1, 2)
	young := replica(t, s, "young")
	f := startFollowing(t, young, 0)
	require.Equal(t, upTo(2), f.reach(t, 3))
	srv, err := s.server()
	require.NoError(t, err)
	calls := func() uint64 {
		js, err := srv.srv.Jsz(nil)
		require.NoError(t, err)
		return js.API.Total
	}
	before := calls()
	late := startFollowing(t, unasked(t, young), 0)
	require.Equal(t, upTo(2), late.reach(t, 3))
	_, err = young.Claim(t.Context(), 2, record.Clock{})
	require.ErrorIs(t, err, ErrFenced)
	require.NoError(t, old.Resign("young", record.Clock{}))
	require.Empty(t, f.reach(t, 4))
	_, err = young.Claim(t.Context(), 4, record.Clock{})
	require.NoError(t, err)
	appendAll(t, young, 3, 3)
	require.Equal(t, []uint64{3}, f.reach(t, 6))
	require.Equal(t, Primary{Since: 5, Store: "young"}, young.Primary())
	require.ErrorIs(t, old.Append(commit(9, 10)), ErrNotPrimary)
	require.Equal(t, before, calls())
	_, err = young.serverState(t.Context())
	require.NoError(t, err)
	require.Greater(t, calls(), before, "the count tells")
}

// unasked returns another view of a log, for which the server was asked for nothing.
func unasked(t testing.TB, l *Log) *Log {
	t.Helper()
	first := filesOf(l)
	r := &alone{Log: newLog(l.store, l.id), stream: first.stream, names: first.names}
	r.home, r.name, r.incarnation = r, "late", l.Incarnation()
	t.Cleanup(r.Log.shut)
	return r.Log
}

// A primary that follows itself, as the mirror does, is told as well.
func TestTail_OfThePrimaryItself(t *testing.T) {
	t.Parallel()
	l := primary(t, open(t, Config{Followers: true}))
	f := startFollowing(t, l, 0)
	for n := uint64(1); n <= 5; n++ {
		appendAll(t, l, n, n)
		require.Equal(t, []uint64{n}, f.reach(t, l.Last()))
	}
}

// Followers may come, and go, with a later start.
func TestFollowers_CanBeSetLater(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for n, followers := range []bool{false, true, false} {
		s := open(t, Config{Dir: dir, Followers: followers})
		l := primary(t, s)
		srv, err := s.server()
		require.NoError(t, err)
		st, err := srv.js.Stream(t.Context(), l.id.stream())
		require.NoError(t, err)
		require.Equal(t, followers, st.CachedInfo().Config.RePublish != nil)
		appendAll(t, l, uint64(n), uint64(n))
		require.NoError(t, s.Close())
	}
}

func BenchmarkAppend_WithAFollower(b *testing.B) {
	s := open(b, Config{Followers: true})
	l := primary(b, s)
	other := replica(b, s, "other")
	go func() { _ = other.Follow(b.Context(), 0, ignore) }()
	msg := commit(1, 200)
	for b.Loop() {
		require.NoError(b, l.Append(msg))
	}
}

// A log that grows while a process catches up is read to the end that it had when it was asked for.
func TestCatchUp_OfAGrowingLogEnds(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	l := primary(t, s)
	other := replica(t, s, "other")
	done := make(chan error, 1)
	stop := make(chan struct{})
	go func() {
		msg := commit(1, 10)
		for {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			if err := l.Append(msg); err != nil {
				done <- err
				return
			}
		}
	}()
	for range 5 {
		end, err := other.CatchUp(t.Context(), other.Last(), ignore, nil)
		require.NoError(t, err)
		require.Equal(t, end, other.Last())
	}
	close(stop)
	require.NoError(t, <-done)
}
