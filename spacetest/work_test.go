package spacetest_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/space/work"
	"github.com/gospaces/gospaces/spacetest"
)

type errand struct{ ID int }

type receipt struct{ ID int }

// Jobs lie in one space, results go to another: each job leaves one result, whatever its handler does before it fails.
func TestWork_WithResultsInAnotherSpace(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := spacetest.Server(t, spacetest.ServerConfig{}).Dial(t)
	other := c.SpaceNamed("results")
	const n = 50
	var errands []errand
	for i := range n {
		errands = append(errands, errand{i + 1})
	}
	_, err := space.WriteAll(ctx, c.Client, errands)
	require.NoError(t, err)
	working, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	var stats work.Stats
	go func() {
		ended <- work.Run(working, c.Client, errand{}, func(ctx context.Context, job *work.Job[errand]) error {
			if _, err := space.Write(ctx, other, receipt(job.Value), space.In(job.Txn)); err != nil {
				return err
			}
			if job.Attempts == 0 && job.Value.ID%3 == 0 {
				return errors.New("after the result was written")
			}
			return nil
		}, work.Config{Workers: 4, MinBackoff: -1, Report: stats.Add})
	}()
	seen := map[int]bool{}
	for len(seen) < n {
		r, err := space.Take(ctx, other, receipt{})
		require.NoError(t, err)
		require.False(t, seen[r.ID], r.ID)
		seen[r.ID] = true
	}
	stop()
	require.NoError(t, <-ended)
	for _, sp := range []space.Space{c.Client, other} {
		left, err := sp.Count(ctx, everything(t, sp))
		require.NoError(t, err)
		require.Zero(t, left)
	}
	require.Equal(t, n, stats.Count(work.Done))
	require.Equal(t, n/3, stats.Count(work.Retried))
}

func everything(t *testing.T, sp space.Space) space.Query {
	q, err := space.Match(t.Context(), sp, nil)
	require.NoError(t, err)
	return q
}
