package space_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
)

func TestPrepared_IsASnapshot(t *testing.T) {
	t.Parallel()
	ctx, sp := t.Context(), newSpace(t)
	write(t, sp, sample{N: 1, Raw: []byte("a"), Tags: []string{"x"}}, sample{N: 2, Raw: []byte("z"), Tags: []string{"z"}})
	template := &sample{Raw: []byte("a"), Tags: []string{"x"}}
	p, err := space.Prepare(ctx, sp, template)
	require.NoError(t, err)
	template.Raw[0], template.Tags[0], template.N = 'z', "z", 2

	for range 2 {
		s, err := p.Read(ctx)
		require.NoError(t, err)
		require.Equal(t, 1, s.N)
	}
	n, err := p.Count(ctx)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	s, err := p.TakeIfExists(ctx)
	require.NoError(t, err)
	require.Equal(t, 1, s.N)
	_, err = p.ReadIfExists(ctx)
	require.ErrorIs(t, err, space.ErrNoMatch)
	_, err = p.Take(ctx, space.NoWait())
	require.ErrorIs(t, err, space.ErrNoMatch)
}

func TestPrepared_WritesItsTemplate(t *testing.T) {
	t.Parallel()
	ctx, sp := t.Context(), newSpace(t)
	p, err := space.Prepare(ctx, sp, Task{ID: 3, State: "new"}, space.Where("priority", space.Eq(0)))
	require.NoError(t, err)
	_, err = p.Write(ctx)
	require.NoError(t, err)
	write(t, sp, Task{ID: 3, State: "new"})
	for range 2 {
		task, err := p.Take(ctx)
		require.NoError(t, err)
		require.Equal(t, Task{ID: 3, State: "new"}, task)
	}
	lease, err := p.Write(ctx, space.For(0))
	require.NoError(t, err)
	require.Zero(t, lease.Remaining())

	none, err := space.Prepare[*Task](ctx, sp, nil)
	require.NoError(t, err)
	_, err = none.Write(ctx)
	require.ErrorIs(t, err, space.ErrInvalidArgument)
}

func TestPrepared_OptionsOfACall(t *testing.T) {
	t.Parallel()
	ctx, sp := t.Context(), newSpace(t)
	p, err := space.Prepare(ctx, sp, Task{})
	require.NoError(t, err)
	_, err = p.Read(ctx, space.NoWait())
	require.ErrorIs(t, err, space.ErrNoMatch)
	_, err = p.Read(ctx, space.Wait(-1))
	require.ErrorIs(t, err, space.ErrInvalidArgument)
	_, err = space.Prepare(ctx, sp, Task{}, space.Where("ID", space.Eq(1)))
	require.ErrorIs(t, err, space.ErrInvalidArgument)
}

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
