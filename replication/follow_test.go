package replication

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/record"
)

func TestFollow_SeesConcurrentAppendsOnceAndInOrder(t *testing.T) {
	t.Parallel()
	const total = 3000
	l := primary(t, open(t, Config{}))
	appendAll(t, l, 1, total/3)
	failed := make(chan error, 1)
	go func() {
		for n := uint64(total/3 + 1); n <= total; n++ {
			if err := l.Append(commit(n, int(n%2000))); err != nil {
				failed <- err
				return
			}
		}
		failed <- nil
	}()
	require.Equal(t, upTo(total), tailed(t, l, 0, total))
	require.NoError(t, <-failed)
	require.Equal(t, upTo(total)[total/2:], tailed(t, l, total/2+1, total/2))
}

func TestFollow_GroupsTellPositionAndTime(t *testing.T) {
	t.Parallel()
	l := primary(t, open(t, Config{}))
	before := time.Now()
	appendAll(t, l, 1, 1)
	err := l.Follow(t.Context(), 0, func(g record.Group) error {
		if g.Position == 1 { // the claim
			require.Empty(t, g.Records)
			return nil
		}
		require.EqualValues(t, 2, g.Position)
		require.WithinRange(t, time.Unix(0, g.Time), before, time.Now())
		return errDone
	})
	require.ErrorIs(t, err, errDone)
}

func TestFollow_EndsWithItsContext(t *testing.T) {
	t.Parallel()
	l := primary(t, open(t, Config{}))
	appendAll(t, l, 1, 1)
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	err := l.Follow(ctx, 0, func(record.Group) error {
		cancel(cause)
		return nil
	})
	require.ErrorIs(t, err, cause)
}

func TestFollow_PositionOutsideTheLogIsRefused(t *testing.T) {
	t.Parallel()
	l := primary(t, open(t, Config{}))
	require.ErrorIs(t, l.Follow(t.Context(), l.Last()+1, ignore), ErrPosition)

	appendAll(t, l, 1, 3)
	srv, err := l.store.server()
	require.NoError(t, err)
	st, err := srv.js.Stream(t.Context(), l.id.stream())
	require.NoError(t, err)
	require.NoError(t, st.Purge(t.Context(), jetstream.WithPurgeSequence(3)))
	require.ErrorIs(t, l.Follow(t.Context(), 1, ignore), ErrPosition)
	require.Equal(t, []uint64{2, 3}, tailed(t, l, 2, 2))
	require.ErrorIs(t, replay(t.Context(), l, 0, ignore, nil), ErrPosition)
}

func TestFollow_OutlivesARestartOfTheServer(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	l := primary(t, s)
	appendAll(t, l, 1, 2)
	other, err := s.Log(t.Context(), "other", 0)
	require.NoError(t, err)
	require.NoError(t, replay(t.Context(), other, 0, ignore, nil))

	var got []uint64
	collect := into(&got)
	err = l.Follow(t.Context(), 0, func(g record.Group) error {
		if err := collect(g); err != nil {
			return err
		}
		switch len(got) {
		case 2:
			srv, err := s.server()
			require.NoError(t, err)
			srv.stop() // as if it had failed: the next replay of any log starts another
			require.NoError(t, replay(t.Context(), other, 0, ignore, nil))
			appendAll(t, l, 3, 4) // the primary goes on without replaying
		case 4:
			return errDone
		}
		return nil
	})
	require.ErrorIs(t, err, errDone)
	require.Equal(t, upTo(4), got)
}
