package engine

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// parcel is the schema of a kind with one field of a class.
func parcel(class template.Class) *template.Schema {
	return &template.Schema{Kind: "parcel", Fields: []template.Field{{Name: "size", Class: class}}}
}

// sized is a template for parcels of a size, by name.
func sized(n int64) call.Template {
	return named("parcel", template.Field{Name: "size", Class: template.Int}, template.AppendInt(nil, n))
}

// wait makes a take for t wait.
func wait(t *testing.T, e *Engine, tm call.Template) *Waiter {
	t.Helper()
	q := &call.Query{Templates: []call.Template{tm}, Max: 1, Take: true}
	require.NoError(t, e.Check(q))
	require.ErrorIs(t, e.Find(1, q).Err, call.ErrNoMatch)
	w := e.Park(q, nil)
	require.NotNil(t, w)
	return w
}

// writeSizes writes a parcel for each size.
func writeSizes(t *testing.T, e *Engine, kind call.KindID, sizes ...int64) {
	t.Helper()
	for _, n := range sizes {
		row, err := template.RowFromMap(e.Schema(kind), map[string]any{"size": n})
		require.NoError(t, err)
		require.NoError(t,
			e.Write(1, txn.ID{}, call.Request{}, []call.Draft{{Kind: kind, Row: row, Lease: call.Forever}}).Err)
	}
}

func register(t *testing.T, e *Engine, s *template.Schema) call.KindID {
	t.Helper()
	r := e.Register(1, s)
	require.NoError(t, r.Err)
	return call.KindID(r.Count)
}

func TestNamed_WaitsForItsKind(t *testing.T) {
	t.Parallel()
	e := New(Config{}, 0)
	w := wait(t, e, sized(7))
	require.Empty(t, e.kinds, "a template makes no kind")
	kind := register(t, e, parcel(template.Int))
	writeSizes(t, e, kind, 6)
	require.Empty(t, w.Got)
	writeSizes(t, e, kind, 7)
	require.Len(t, w.Got, 1)
	require.Empty(t, e.named)
	require.Zero(t, len(e.nowhere.watch.groups[0].buckets))
}

func TestNamed_WaitsForItsField(t *testing.T) {
	t.Parallel()
	e := New(Config{}, 0)
	kind := register(t, e, &template.Schema{Kind: "parcel", Fields: []template.Field{{Name: "id", Class: template.Int}}})
	w := wait(t, e, sized(7))
	without := named("parcel", template.Field{Name: "size", Class: 0}, nil)
	without.Named.Conds[0] = template.Cond{Op: template.IsNull}
	noSize := wait(t, e, without)
	require.Equal(t, kind, noSize.Query.Templates[0].Kind, "every entry has null there")
	register(t, e, parcel(template.Int))
	writeSizes(t, e, kind, 6, 7)
	require.Len(t, w.Got, 1)
	require.Empty(t, noSize.Got, "it has the field now")
	require.NoError(t, e.Write(1, txn.ID{}, call.Request{}, []call.Draft{{Kind: kind, Lease: call.Forever}}).Err)
	require.Len(t, noSize.Got, 1)
}

func TestNamed_EndsWhenItContradictsTheSchema(t *testing.T) {
	t.Parallel()
	e := New(Config{}, 0)
	w := wait(t, e, sized(7))
	register(t, e, parcel(template.String))
	require.ErrorIs(t, w.Err, template.ErrSchemaConflict)
	require.Equal(t, []*Waiter{w}, e.Granted)
	q := &call.Query{Templates: []call.Template{sized(7)}, Max: 1}
	require.ErrorIs(t, e.Check(q), template.ErrSchemaConflict, "as one that is made now")
}

func TestRegister_EmptyKindChangesClasses(t *testing.T) {
	t.Parallel()
	e := New(Config{}, 0)
	kind := register(t, e, parcel(template.String))
	byNumber := wait(t, e,
		call.Template{Kind: kind, Conds: []template.Cond{{Op: template.Eq, Value: template.AppendString(nil, "L")}}})
	own := e.Begin(1, call.Forever, call.Request{}, "").Grants[0].ID
	require.NoError(t,
		e.Write(1, txn.ID{Number: own}, call.Request{}, []call.Draft{{Kind: kind, Lease: call.Forever}}).Err)
	require.ErrorIs(t, e.Register(1, parcel(template.Int)).Err, template.ErrSchemaConflict,
		"a transaction has written one")
	require.NoError(t, e.Abort(1, txn.ID{Number: own}).Err)

	require.Equal(t, kind, register(t, e, parcel(template.Int)))
	require.ErrorIs(t, byNumber.Err, template.ErrSchemaConflict)
	writeSizes(t, e, kind, 7)
	require.ErrorIs(t, e.Register(1, parcel(template.String)).Err, template.ErrSchemaConflict)
	require.Equal(t, e.Hash(), applied(t, e.Log).Hash())
}

func TestRegister_ChangesClassesOfTheKindsThatEmbedIt(t *testing.T) {
	t.Parallel()
	e := New(Config{}, 0)
	register(t, e, parcel(template.String))
	heavy := &template.Schema{Kind: "heavy", Supers: []string{"parcel"}, Fields: []template.Field{
		{Name: "weight", Class: template.Int}, {Name: "size", Class: template.String},
	}}
	kind := register(t, e, heavy)
	register(t, e, parcel(template.Int))
	require.Equal(t, template.Int, e.Schema(kind).Fields[1].Class)
	require.ErrorIs(t, e.Register(1, heavy).Err, template.ErrSchemaConflict, "it contradicts the kind that it embeds")
	writeSizes(t, e, kind, 7)
	require.ErrorIs(t, e.Register(1, parcel(template.String)).Err, template.ErrSchemaConflict)
	require.Equal(t, e.Hash(), applied(t, e.Log).Hash())
}

func TestDrop_FreesTheNameAndKeepsTheNumber(t *testing.T) {
	t.Parallel()
	e := New(Config{}, 0)
	require.ErrorIs(t, e.Drop(1, "parcel").Err, call.ErrNoMatch)
	kind := register(t, e, parcel(template.String))
	waiter := wait(t, e, call.Template{Kind: kind})
	reg := e.Notify(1, &call.Query{Templates: []call.Template{{Kind: kind}}, Max: 1}, call.Events(call.Written),
		call.Forever).Grants[0].ID
	require.NoError(t, e.Drop(1, "parcel").Err)
	require.Zero(t, e.KindID("parcel"))
	require.Equal(t, []int{-1}, e.Kinds(1).Counts)
	require.ErrorIs(t, e.Write(1, txn.ID{}, call.Request{}, []call.Draft{{Kind: kind, Lease: call.Forever}}).Err,
		call.ErrUnknownKind)
	require.ErrorIs(t, e.Check(&call.Query{Templates: []call.Template{{Kind: kind}}, Max: 1}), call.ErrUnknownKind)

	again := register(t, e,
		&template.Schema{Kind: "parcel", Fields: []template.Field{{Name: "other", Class: template.Int}}})
	require.NotEqual(t, kind, again)
	require.NoError(t, e.Write(1, txn.ID{}, call.Request{}, []call.Draft{{Kind: again, Lease: call.Forever}}).Err)
	require.Len(t, waiter.Got, 1, "it waits for the name")
	seq, ok := e.Registered(reg)
	require.True(t, ok)
	require.EqualValues(t, 1, seq)
	require.Equal(t, e.Hash(), applied(t, e.Log).Hash())
	image := e.BeginImage()
	defer image.Close()
	records, done := image.Draw(nil, 100)
	require.True(t, done)
	require.Equal(t, e.Hash(), loaded(t, records).Hash())
}

func TestDrop_RefusesAKindInUse(t *testing.T) {
	t.Parallel()
	e := New(Config{}, 0)
	kind := register(t, e, parcel(template.Int))
	writeSizes(t, e, kind, 1)
	require.ErrorIs(t, e.Drop(1, "parcel").Err, call.ErrKindInUse)
	require.NoError(t, e.Find(1, &call.Query{Templates: []call.Template{{Kind: kind}}, Max: 1, Take: true}).Err)
	register(t, e, &template.Schema{Kind: "heavy", Supers: []string{"parcel"}})
	require.ErrorIs(t, e.Drop(1, "parcel").Err, call.ErrKindInUse)
	require.NoError(t, e.Drop(1, "heavy").Err)
	require.NoError(t, e.Drop(1, "parcel").Err)
	require.ErrorIs(t, e.Apply(record.AppendDrop(nil, kind)), record.ErrCorrupt, "twice")
}
