package space_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
)

func TestPrepared_ItsQueryIsForTheSpace(t *testing.T) {
	t.Parallel()
	ctx, sp := t.Context(), newSpace(t)
	write(t, sp, Task{ID: 1}, Task{ID: 2})
	p, err := space.Prepare(ctx, sp, Task{}, space.OrderBy("-id"))
	require.NoError(t, err)
	q := p.Query()
	q.Max = 5
	entries, err := sp.Take(ctx, q)
	require.NoError(t, err)
	require.Len(t, entries, 2)
	require.Equal(t, int64(2), entries[0].Fields()["id"])
	require.Zero(t, p.Query().Max, "the prepared query has not changed")
}

// ownedTask is of the same kind as Task, but has fewer fields.
type ownedTask struct{ Owner *string }

func (ownedTask) Kind() string { return "task" }

func TestPrepared_DecodesWhatItsQueryFinds(t *testing.T) {
	t.Parallel()
	ctx, sp := t.Context(), newSpace(t)
	owner := "ada"
	write(t, sp, ownedTask{&owner})
	write(t, sp, Task{ID: 2})
	p, err := space.Prepare(ctx, sp, ownedTask{}, space.Strict())
	require.NoError(t, err)
	q := p.Query()
	q.Max = 2
	entries, err := sp.Read(ctx, q)
	require.NoError(t, err)
	require.Len(t, entries, 2)
	first, err := p.Decode(&entries[0])
	require.NoError(t, err)
	require.Equal(t, ownedTask{&owner}, first)
	_, err = p.Decode(&entries[1])
	var unusable *space.UnusableEntryError
	require.ErrorAs(t, err, &unusable, "it would lose the fields")
}
