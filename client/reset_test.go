package client_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/internal/server"
	"github.com/gospaces/gospaces/space"
)

// memoryLog is a log in memory whose appends can be made to fail; it then has stored the message or not.
type memoryLog struct {
	mu      sync.Mutex
	groups  []record.Group // guarded by mu
	failing int            // guarded by mu; so many appends are to fail
	stores  bool           // guarded by mu; and store the message all the same
}

func (l *memoryLog) fail(n int, stores bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failing, l.stores = n, stores
}

func (l *memoryLog) Append(msg []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failing == 0 || l.stores {
		records := append([]byte(nil), msg[record.HeaderSize:]...)
		l.groups = append(l.groups,
			record.Group{Position: uint64(len(l.groups) + 1), Clock: record.ClockOf(msg), Records: records})
	}
	if l.failing > 0 {
		l.failing--
		return errors.New("injected fault")
	}
	return nil
}

func (l *memoryLog) Last() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return uint64(len(l.groups))
}

func (l *memoryLog) Read(_ context.Context, from, to uint64, fn func(record.Group) error) error {
	l.mu.Lock()
	groups := l.groups
	l.mu.Unlock()
	for _, g := range groups {
		if g.Position >= from && g.Position <= to {
			if err := fn(g); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *memoryLog) Load(context.Context, func([]byte) error, func(done, total uint64)) (uint64, record.Clock, error) {
	return 0, record.Clock{}, nil
}

func (l *memoryLog) CatchUp(
	ctx context.Context, after uint64, apply func(record.Group) error, _ func(done, total uint64),
) (uint64, error) {
	end := l.Last()
	return end, l.Read(ctx, after+1, end, apply)
}

func (l *memoryLog) Claim(_ context.Context, follows uint64, _ record.Clock) (record.Group, error) {
	return record.Group{Position: follows}, nil
}

// What a client has in a space whose log fails goes on or says so; what it has in other spaces does not notice.
func TestReset_ConcernsOneSpace(t *testing.T) {
	t.Parallel()
	for name, stores := range map[string]bool{"the log has stored it": true, "the log has not": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(t, server.Config{})
			log := new(memoryLog)
			n.spaces.logs = map[string]partition.Log{"failing": log}
			n.start()
			c := n.dial(client.Config{})
			ctx, failing := t.Context(), c.SpaceNamed("failing")

			_, err := space.Write(ctx, failing, job{ID: 1})
			require.NoError(t, err)
			reg, err := failing.Notify(ctx, mustMatch(t, failing, job{}), 0, space.Forever)
			require.NoError(t, err)
			_, err = space.Write(ctx, c, job{ID: 10})
			require.NoError(t, err)
			_, tx, err := space.TakeTxn(ctx, c, job{})
			require.NoError(t, err)
			waiting := make(chan error, 1)
			go func() { _, err := space.Take(ctx, c, job{ID: 11}); waiting <- err }()
			n.awaitWaiting("default", 1)

			log.fail(1, stores)
			_, err = space.Write(ctx, failing, job{ID: 2})
			require.NoError(t, err, "it is made again, and happens once")
			require.Equal(t, 2, countJobs(t, failing))
			ev, err := reg.Next(ctx)
			require.NoError(t, err)
			got, err := space.Decode[job](ev.Entry)
			require.NoError(t, err)
			require.Equal(t, job{ID: 2}, got)

			require.NoError(t, tx.Commit(ctx), "it is open")
			require.Zero(t, countJobs(t, c))
			_, err = space.Write(ctx, c, job{ID: 11})
			require.NoError(t, err)
			require.NoError(t, <-waiting)
			require.Equal(t, 1, n.srv.Stats().Sessions)
		})
	}
}

// A log that fails again and again loses nothing, and repeats nothing.
func TestReset_AgainAndAgain(t *testing.T) {
	t.Parallel()
	n := newNode(t, server.Config{})
	log := new(memoryLog)
	n.spaces.logs = map[string]partition.Log{"default": log}
	n.start()
	c := n.dial(client.Config{})
	var written sync.WaitGroup
	for i := range int64(8) {
		written.Go(func() {
			for j := range int64(20) {
				if j%5 == i%5 {
					log.fail(1, i%2 == 0)
				}
				for {
					_, err := space.Write(t.Context(), c, job{ID: 100*i + j})
					if errors.Is(err, space.ErrUnavailable) {
						continue // it changed nothing
					}
					if err != nil {
						t.Error(err)
					}
					break
				}
			}
		})
	}
	written.Wait()
	seen := map[int64]bool{}
	for j, err := range space.Contents(t.Context(), c, job{}) {
		require.NoError(t, err)
		require.False(t, seen[j.ID])
		seen[j.ID] = true
	}
	require.Len(t, seen, 160)
}

// A call whose answer is lost with the log leaves nothing behind: a TakeTxn that is made again finds what it had taken,
// and who hears that a transaction has ended finds its locks gone.
func TestReset_LeavesNoTransactionBehind(t *testing.T) {
	t.Parallel()
	for name, stores := range map[string]bool{"the log has stored it": true, "the log has not": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(t, server.Config{})
			log := new(memoryLog)
			n.spaces.logs = map[string]partition.Log{"default": log}
			n.start()
			c, other, ctx := n.dial(client.Config{}), n.dial(client.Config{}), t.Context()
			_, err := space.WriteAll(ctx, c, []job{{ID: 1}, {ID: 2}, {ID: 3}})
			require.NoError(t, err)

			log.fail(1, stores)
			_, tx, err := space.TakeTxn(ctx, c, job{ID: 1}, space.NoWait())
			for errors.Is(err, space.ErrUnavailable) {
				_, tx, err = space.TakeTxn(ctx, c, job{ID: 1}, space.NoWait())
			}
			require.NoError(t, err)
			require.NoError(t, tx.Commit(ctx))

			_, tx, err = space.TakeTxn(ctx, c, job{ID: 2})
			require.NoError(t, err)
			_, err = space.Write(ctx, c, job{ID: 4}) // the log has the first take then
			require.NoError(t, err)
			log.fail(1, stores)
			_, err = space.Take(ctx, c, job{ID: 3}, space.In(tx))
			require.ErrorIs(t, err, space.ErrTxnEnded)
			got, err := space.TakeAll(ctx, other, job{}, 4)
			require.NoError(t, err)
			require.Equal(t, []job{{ID: 2}, {ID: 3}, {ID: 4}}, got)
			require.ErrorIs(t, tx.Commit(ctx), space.ErrTxnEnded)
		})
	}
}

func (*memoryLog) Follow(context.Context, uint64, func(record.Group) error) error {
	panic("this log has no followers")
}

func (*memoryLog) Resign(string, record.Clock) error { panic("this log has no heirs") }
func (*memoryLog) Distrust() error                   { panic("this log has no images") }
