package memory_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/space/memory"
)

type numbered struct{ A int }

type named struct{ A string }

func (numbered) Kind() string { return "generation" }
func (named) Kind() string    { return "generation" }

// An empty kind may change the classes of its fields at any moment, also between a call's look at the schema and the
// call itself. The call fails with ErrSchemaConflict then, as it does before and after.
func TestSpace_ClassesChangeAmidACall(t *testing.T) {
	t.Parallel()
	sp := memory.New(memory.Config{})
	defer sp.Close()
	change := func() error {
		for range 5000 {
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
		_, err := space.Read(t.Context(), sp, named{"2"}, space.NoWait())
		if !errors.Is(err, space.ErrNoMatch) {
			require.ErrorIs(t, err, space.ErrSchemaConflict)
		}
		_, err = space.Count(t.Context(), sp, numbered{2})
		if err != nil {
			require.ErrorIs(t, err, space.ErrSchemaConflict)
		}
	}
	require.NoError(t, <-done)
}
