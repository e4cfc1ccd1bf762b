package client_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/internal/server"
	"github.com/gospaces/gospaces/space"
)

// What comes back of a bulk call is complete, or the caller is told that it is not.
func TestBulk_IsCompleteOrSaysThatItIsNot(t *testing.T) {
	t.Parallel()
	const one, all = 4096, 10_000
	c := startNode(t, server.Config{}).dial(client.Config{})
	ctx := t.Context()
	var jobs []job
	for i := range int64(all) {
		jobs = append(jobs, job{ID: i})
	}
	_, err := space.WriteAll(ctx, c, jobs)
	require.NoError(t, err)

	got, err := space.ReadAll(ctx, c, job{}, one)
	require.NoError(t, err)
	require.Equal(t, jobs[:one], got)
	got, err = space.ReadAll(ctx, c, job{}, one+1)
	require.ErrorIs(t, err, space.ErrTooLarge)
	require.Equal(t, jobs[:one], got)

	tx := begin(t, c)
	got, err = space.TakeAll(ctx, c, job{}, all-1, space.In(tx))
	require.NoError(t, err)
	require.Equal(t, jobs[:all-1], got)
	require.NoError(t, tx.Abort(ctx))
	got, err = space.TakeAll(ctx, c, job{}, one+1)
	require.NoError(t, err)
	require.Equal(t, jobs[:one+1], got)
	got, err = space.TakeAll(ctx, c, job{}, 2*all, space.NoWait())
	require.NoError(t, err)
	require.Equal(t, jobs[one+1:], got)
	_, err = space.TakeAll(ctx, c, job{}, 2*all, space.NoWait())
	require.ErrorIs(t, err, space.ErrNoMatch)

	_, err = space.WriteAll(ctx, c, make([]job, 1<<16+1))
	require.ErrorIs(t, err, space.ErrTooLarge)
	require.Zero(t, countJobs(t, c))
}
