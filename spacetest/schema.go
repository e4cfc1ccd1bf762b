package spacetest

import (
	"context"
	"errors"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

func schemaCases() cases {
	return cases{
		{"a field whose class changes is refused", schemaConflict},       // semantics 1.6
		{"after a conflict the right type goes on", schemaAfterConflict}, // semantics 1.6
		{"new fields may appear", schemaGrows},                           // semantics 1.6
		{"fields may be left out", schemaSubset},                         // semantics 1.6
		{"waiting calls survive that their kind grows", schemaGrowsUnderWaiters},
		{"registering returns the schema that the space has", schemaRegister},
		{"registering twice changes nothing", schemaRegisterTwice},
		{"a kind whose super is not registered is refused", schemaUnknownSuper},
		{"a schema that no space could have is refused", schemaInvalid},
		{"a template for fields that the kind does not have is refused", schemaBadTemplate},
		// semantics 1.6
		{"a call during which an empty kind changes its classes conflicts, or does not", schemaChangesUnderCalls},
	}
}

// Generations of one kind.
type first struct{ A int }

type second struct {
	A int
	B string
}

type third struct {
	B string
	C float64
	A int
}

type conflicting struct{ A string }

func (first) Kind() string       { return "generation" }
func (second) Kind() string      { return "generation" }
func (third) Kind() string       { return "generation" }
func (conflicting) Kind() string { return "generation" }

func schemaConflict(k *kit) {
	write(k, first{1})
	_, err := space.Write(k.ctx, k.sp, conflicting{"1"})
	k.fails(space.ErrSchemaConflict, err)
	_, err = space.WriteAll(k.ctx, k.sp, []conflicting{{"1"}})
	k.fails(space.ErrSchemaConflict, err)
	for _, v := range verbs {
		_, err = find[conflicting](v)(k.ctx, k.sp, conflicting{}, space.NoWait())
		k.fails(space.ErrSchemaConflict, err)
	}
	_, err = space.Count(k.ctx, k.sp, conflicting{})
	k.fails(space.ErrSchemaConflict, err)
	require.Equal(k, 1, k.total())
}

func schemaAfterConflict(k *kit) {
	k.needOnePartition()
	write(k, conflicting{"first come"})
	_, err := space.Write(k.ctx, k.sp, first{1})
	k.fails(space.ErrSchemaConflict, err)
	write(k, conflicting{"still works"})
	require.Equal(k, []conflicting{{"first come"}, {"still works"}}, drain(k, conflicting{}))
}

func schemaChangesUnderCalls(k *kit) { changeUnderCalls(k, k) }

// changeUnderCalls has the emptied kind change its classes back and forth while calls of k are on their way. Each finds
// nothing, or fails with ErrSchemaConflict, as it does before and after a change.
func changeUnderCalls(changer, k *kit) {
	k.needOnePartition()
	change := start(changer, func(ctx context.Context) (any, error) {
		for range 200 {
			if err := errors.Join(writeAndTake(ctx, changer.sp, first{1}),
				writeAndTake(ctx, changer.sp, conflicting{"1"})); err != nil {
				return nil, err
			}
		}
		return nil, nil
	})
	for change.running() {
		if _, err := space.Read(k.ctx, k.sp, conflicting{"2"}, space.NoWait()); !errors.Is(err, space.ErrNoMatch) {
			k.fails(space.ErrSchemaConflict, err)
		}
		if _, err := space.Count(k.ctx, k.sp, first{2}); err != nil {
			k.fails(space.ErrSchemaConflict, err)
		}
	}
	change.result(k)
}

func writeAndTake[T any](ctx context.Context, sp space.Space, v T) error {
	if _, err := space.Write(ctx, sp, v); err != nil {
		return err
	}
	_, err := space.Take(ctx, sp, v, space.NoWait())
	return err
}

func schemaGrows(k *kit) {
	k.needOnePartition()
	write(k, first{1})
	write(k, second{2, "two"})
	write(k, third{"three", 3.5, 3})

	require.Equal(k, []first{{1}, {2}, {3}}, readUpTo(k, 10, first{}))
	require.Equal(k, []second{{1, ""}, {2, "two"}, {3, "three"}}, readUpTo(k, 10, second{}))
	require.Equal(k, []third{{A: 1}, {A: 2, B: "two"}, {"three", 3.5, 3}}, readUpTo(k, 10, third{}))

	require.Equal(k, 1, count(k, third{}, space.Where("b", space.IsNull())))
	require.Equal(k, 2, count(k, third{}, space.Where("c", space.IsNull())))
	require.Equal(k, first{3}, take(k, first{}, space.Where("a", space.Ge(3))))
	require.Equal(k, third{A: 1}, take(k, third{}, space.Where("b", space.IsNull())))
}

func schemaSubset(k *kit) {
	k.needOnePartition()
	write(k, third{"three", 3.5, 3})
	write(k, first{1})
	require.Equal(k, []third{{"three", 3.5, 3}, {A: 1}}, readUpTo(k, 10, third{}))
	require.Equal(k, first{3}, take(k, first{3}))
	require.Equal(k, second{1, ""}, take(k, second{}))
}

func schemaGrowsUnderWaiters(k *kit) {
	taker := startFind(k, verbs[2], first{7})
	k.parked(1)
	write(k, third{"grown", 1, 6})
	write(k, third{"grown", 1, 7})
	require.Equal(k, first{7}, taker.result(k))
	require.Equal(k, 1, k.total())
}

// schemaOf returns a schema with fields of class int.
func schemaOf(kind string, supers []string, fields ...string) *template.Schema {
	s := &template.Schema{Kind: kind, Supers: supers}
	for _, f := range fields {
		s.Fields = append(s.Fields, template.Field{Name: f, Class: template.Int})
	}
	return s
}

func schemaRegister(k *kit) {
	s, err := k.sp.Register(k.ctx, schemaOf("raw", nil, "a", "b"))
	k.ok(err)
	require.Equal(k, schemaOf("raw", nil, "a", "b").Fields, s.Fields)
	s, err = k.sp.Register(k.ctx, schemaOf("raw", nil, "c", "b"))
	k.ok(err)
	require.Equal(k, schemaOf("raw", nil, "a", "b", "c").Fields, s.Fields)
	s, err = k.sp.Register(k.ctx, schemaOf("above", []string{"raw"}, "a", "b", "c", "d"))
	k.ok(err)
	require.Equal(k, []string{"raw"}, s.Supers)

	_, err = k.sp.Write(k.ctx, txn.ID{}, []space.Draft{{Kind: "raw", Lease: space.Forever}})
	k.ok(err)
	_, err = k.sp.Register(k.ctx,
		&template.Schema{Kind: "raw", Fields: []template.Field{{Name: "a", Class: template.String}}})
	k.fails(space.ErrSchemaConflict, err)
}

func schemaRegisterTwice(k *kit) {
	var same *template.Schema
	for range 3 {
		s, err := k.sp.Register(k.ctx, schemaOf("raw", nil, "a", "b"))
		k.ok(err)
		if same != nil {
			require.Equal(k, same.Fields, s.Fields)
		}
		same = s
	}
	kinds, err := k.sp.Kinds(context.WithoutCancel(k.ctx))
	k.ok(err)
	require.Len(k, kinds, 1)
}

func schemaUnknownSuper(k *kit) {
	_, err := k.sp.Register(k.ctx, schemaOf("above", []string{"nobody"}, "a"))
	k.fails(space.ErrInvalidArgument, err)
	kinds, err := k.sp.Kinds(k.ctx)
	k.ok(err)
	require.Empty(k, kinds)
}

func schemaInvalid(k *kit) {
	for name, s := range map[string]*template.Schema{
		"no name":         schemaOf("", nil, "a"),
		"no field name":   schemaOf("raw", nil, ""),
		"one field twice": schemaOf("raw", nil, "a", "a"),
		"no class":        {Kind: "raw", Fields: []template.Field{{Name: "a"}}},
	} {
		_, err := k.sp.Register(k.ctx, s)
		require.ErrorIs(k, err, space.ErrInvalidArgument, name)
	}
}

func schemaBadTemplate(k *kit) {
	s, err := k.sp.Register(k.ctx, schemaOf("raw", nil, "a"))
	k.ok(err)
	for name, c := range map[string]template.Cond{
		"no such field":  {Field: len(s.Fields), Op: template.IsNull},
		"negative field": {Field: -1, Op: template.IsNull},
		"no operand":     {Field: 0, Op: template.Eq},
		"other class":    {Field: 0, Op: template.Eq, Value: template.AppendString(nil, "a")},
		"no operation":   {Field: 0, Value: template.AppendInt(nil, 1)},
	} {
		q := space.Query{Templates: []*template.Template{{Kind: "raw", Conds: []template.Cond{c}}}, NoWait: true}
		for _, v := range verbs {
			_, err := k.find(v, q)
			require.ErrorIs(k, err, space.ErrInvalidArgument, name)
		}
		_, err := k.sp.Count(k.ctx, q)
		require.ErrorIs(k, err, space.ErrInvalidArgument, name)
	}
	q := space.Query{Templates: []*template.Template{{Conds: []template.Cond{{Op: template.IsNull}}}}, NoWait: true}
	_, err = k.sp.Count(k.ctx, q) // conditions need a kind
	k.fails(space.ErrInvalidArgument, err)
}
