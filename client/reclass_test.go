package client_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/internal/server"
	"github.com/gospaces/gospaces/space"
)

type numbered struct{ A int }

type named struct{ A string }

func (numbered) Kind() string { return "generation" }
func (named) Kind() string    { return "generation" }

// An empty kind may change the classes of its fields at any moment, also while a call is on its way. The call fails with
// ErrSchemaConflict then, as it does before and after.
func TestClient_ClassesChangeAmidACall(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	sp, other := n.dial(client.Config{}), n.dial(client.Config{})
	change := func() error {
		for range 500 {
			if _, err := space.Write(t.Context(), sp, numbered{1}); err != nil {
				return err
			}
			if _, err := space.Take(t.Context(), sp, numbered{}, space.NoWait()); err != nil {
				return err
			}
			if _, err := space.Write(t.Context(), sp, named{"1"}); err != nil {
				return err
			}
			if _, err := space.Take(t.Context(), sp, named{}, space.NoWait()); err != nil {
				return err
			}
		}
		return nil
	}
	done := make(chan error, 1)
	go func() { done <- change() }()
	for len(done) == 0 {
		_, err := space.Read(t.Context(), other, named{"2"}, space.NoWait())
		if !errors.Is(err, space.ErrNoMatch) {
			require.ErrorIs(t, err, space.ErrSchemaConflict)
		}
		_, err = space.Count(t.Context(), other, numbered{2})
		if err != nil {
			require.ErrorIs(t, err, space.ErrSchemaConflict)
		}
	}
	require.NoError(t, <-done)
}
