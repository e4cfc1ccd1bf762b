package space_test

import (
	"context"
	"reflect"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/space/codec"
)

// fragile and sturdy are two programs' ideas of the same kind.
type fragile struct{ Code uint8 }

func (fragile) Kind() string { return "reading" }

type sturdy struct {
	Code int
	Note string
}

func (sturdy) Kind() string { return "reading" }

// clash contradicts both.
type clash struct{ Code string }

func (clash) Kind() string { return "reading" }

type unstorable struct{ F func() }

func TestEmbedding(t *testing.T) {
	t.Parallel()
	sp := newSpace(t)
	write(t, sp, Order{Payment{"ann", 1200}, "lamp"})
	write(t, sp, Refund{Payment{"bob", 300}, "scratched"})

	all, err := space.ReadAll(t.Context(), sp, Payment{}, 10)
	require.NoError(t, err)
	require.Equal(t, []Payment{{"ann", 1200}, {"bob", 300}}, all, "each entry's part of the embedded kind")

	q, err := space.Match(t.Context(), sp, Payment{Customer: "ann"})
	require.NoError(t, err)
	entries, err := sp.Read(t.Context(), q)
	require.NoError(t, err)
	order, err := space.Decode[Order](entries[0])
	require.NoError(t, err)
	require.Equal(t, Order{Payment{"ann", 1200}, "lamp"}, order, "the concrete entry, all fields included")

	require.Zero(t, count(t, sp, Order{Payment: Payment{Customer: "bob"}}), "siblings do not match")
}

func TestPointers(t *testing.T) {
	t.Parallel()
	ctx, sp := t.Context(), newSpace(t)
	_, err := space.Write(ctx, sp, &Task{ID: 1, State: "new"})
	require.NoError(t, err)
	_, err = space.Write[*Task](ctx, sp, nil)
	require.ErrorIs(t, err, space.ErrInvalidArgument)

	task, err := space.Read(ctx, sp, &Task{ID: 1})
	require.NoError(t, err)
	require.Equal(t, &Task{ID: 1, State: "new"}, task)
	task, err = space.Take[*Task](ctx, sp, nil)
	require.NoError(t, err, "a nil template asks for any entry of its kind")
	require.Equal(t, 1, task.ID)
}

func TestCopies(t *testing.T) {
	t.Parallel()
	ctx, sp := t.Context(), newSpace(t)
	raw := []byte("abc")
	write(t, sp, sample{Raw: raw, Tags: []string{"x"}})
	raw[0] = 'z'
	first, err := space.Read(ctx, sp, sample{})
	require.NoError(t, err)
	first.Tags[0], first.Raw[0] = "y", 'y'
	second, err := space.Read(ctx, sp, sample{})
	require.NoError(t, err)
	require.Equal(t, "abc", string(second.Raw))
	require.Equal(t, []string{"x"}, second.Tags)
}

func TestUnusableEntry(t *testing.T) {
	t.Parallel()
	ctx, sp := t.Context(), newSpace(t)
	write(t, sp, sturdy{Code: 1}, sturdy{Code: 1000, Note: "too much"}, sturdy{Code: 2})

	codes, err := space.TakeAll(ctx, sp, fragile{}, 10)
	require.Equal(t, []fragile{{1}, {2}}, codes, "what can be used is returned")
	var unusable *space.UnusableEntryError
	require.ErrorAs(t, err, &unusable)
	require.Equal(t, map[string]any{"code": int64(1000), "note": "too much"}, unusable.Fields)
	require.Zero(t, count(t, sp, sturdy{}), "the take has removed all three")
}

func TestContents_GoesOnAfterAnUnusableEntry(t *testing.T) {
	t.Parallel()
	sp := newSpace(t)
	write(t, sp, sturdy{Code: 1}, sturdy{Code: 1000}, sturdy{Code: 2})
	var codes []uint8
	failures := 0
	for r, err := range space.Contents(t.Context(), sp, fragile{}) {
		if err != nil {
			failures++
			continue
		}
		codes = append(codes, r.Code)
	}
	require.ElementsMatch(t, []uint8{1, 2}, codes)
	require.Equal(t, 1, failures)
}

func TestSchema(t *testing.T) {
	t.Parallel()
	ctx, sp := t.Context(), newSpace(t)
	write(t, sp, fragile{7})
	write(t, sp, sturdy{8, "more fields"})
	all, err := space.ReadAll(ctx, sp, sturdy{}, 10)
	require.NoError(t, err)
	require.Equal(t, []sturdy{{7, ""}, {8, "more fields"}}, all, "older entries lack the new field")
	old, err := space.ReadAll(ctx, sp, fragile{}, 10)
	require.NoError(t, err)
	require.Equal(t, []fragile{{7}, {8}}, old, "older programs do not see it")

	_, err = space.Write(ctx, sp, clash{"x"})
	require.ErrorIs(t, err, space.ErrSchemaConflict)
	require.Equal(t, 2, count(t, sp, sturdy{}))
}

func TestTypesThatCannotBeStored(t *testing.T) {
	t.Parallel()
	ctx, sp := t.Context(), newSpace(t)
	_, err := space.Write(ctx, sp, unstorable{})
	require.ErrorIs(t, err, space.ErrInvalidArgument)
	require.ErrorContains(t, err, "F")
	_, err = space.Write(ctx, sp, 7)
	require.ErrorIs(t, err, space.ErrInvalidArgument)
	_, err = space.Write[any](ctx, sp, nil)
	require.ErrorIs(t, err, space.ErrInvalidArgument)
	_, err = space.Match(ctx, sp, "text")
	require.ErrorIs(t, err, space.ErrInvalidArgument)
}

func TestCodecs_KnowsEachTypeOnce(t *testing.T) {
	t.Parallel()
	sp := newSpace(t)
	codecs := make([]*codec.Codec, 8)
	var all sync.WaitGroup
	for i := range codecs {
		all.Go(func() {
			codecs[i], _ = sp.Codecs().For(context.Background(), sp, reflect.TypeFor[Order]())
		})
	}
	all.Wait()
	require.NotNil(t, codecs[0])
	for _, c := range codecs {
		require.Same(t, codecs[0], c)
	}
	require.Equal(t, []string{"payment"}, codecs[0].Schema().Supers)
}

func TestCodecs_FailureIsNotRemembered(t *testing.T) {
	t.Parallel()
	sp := newSpace(t)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := space.Write(ended, sp, Task{ID: 1})
	require.ErrorIs(t, err, context.Canceled)
	write(t, sp, Task{ID: 1})
}

func TestEntry_Decode(t *testing.T) {
	t.Parallel()
	ctx, sp := t.Context(), newSpace(t)
	write(t, sp, Order{Payment{"ann", 1200}, "lamp"})
	q, err := space.Match(ctx, sp, nil)
	require.NoError(t, err)
	entries, err := sp.Read(ctx, q)
	require.NoError(t, err)
	e := entries[0]
	require.Equal(t, "order", e.Kind())
	require.Equal(t, map[string]any{"customer": "ann", "cents": int64(1200), "item": "lamp"}, e.Fields())

	var order Order
	require.NoError(t, e.Decode(&order))
	require.Equal(t, "lamp", order.Item)
	pointer := &Payment{}
	require.NoError(t, e.Decode(&pointer))
	require.Equal(t, "ann", pointer.Customer)

	var unusable *space.UnusableEntryError
	require.ErrorAs(t, e.Decode(&Refund{}), &unusable, "an order is no refund")
	for _, v := range []any{nil, order, (*Order)(nil), new(int)} {
		require.ErrorIs(t, e.Decode(v), space.ErrInvalidArgument, "%T", v)
	}
	_, err = space.Decode[int](e)
	require.ErrorIs(t, err, space.ErrInvalidArgument)
}
