package template_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/template"
)

type (
	oldPoint struct{ X, Y int }
	newPoint struct{ Y, Z, X int }
)

func TestBind_MatchesFieldsByName(t *testing.T) {
	t.Parallel()
	old := compile[oldPoint](t)
	merged, err := old.Schema().Merge(compile[newPoint](t).Schema())
	require.NoError(t, err)
	bound, err := compile[newPoint](t).Bind(merged)
	require.NoError(t, err)
	require.Same(t, merged, bound.Schema())

	row := encode(t, bound, newPoint{X: 1, Y: 2, Z: 3})
	var p oldPoint
	require.NoError(t, old.DecodeRow(row, &p), "a field more than the type knows")
	require.Equal(t, oldPoint{1, 2}, p)

	q := newPoint{Z: 9}
	require.NoError(t, bound.DecodeRow(encode(t, old, oldPoint{1, 2}), &q), "a field that the stored row lacks")
	require.Equal(t, newPoint{X: 1, Y: 2}, q)

	conds, err := bound.Template(newPoint{Z: 3})
	require.NoError(t, err)
	require.Equal(t, merged.Index("z"), conds[0].Field)
}

func TestBind_SchemaThatLacksAField(t *testing.T) {
	t.Parallel()
	old := compile[oldPoint](t)
	bound, err := compile[newPoint](t).Bind(old.Schema())
	require.NoError(t, err)
	q := newPoint{Z: 9}
	require.NoError(t, bound.DecodeRow(encode(t, old, oldPoint{1, 2}), &q))
	require.Equal(t, newPoint{X: 1, Y: 2}, q)

	_, err = bound.AppendRow(nil, newPoint{})
	require.ErrorIs(t, err, template.ErrSchemaConflict)
	_, err = bound.Template(newPoint{Z: 1})
	require.ErrorIs(t, err, template.ErrSchemaConflict)
	_, err = bound.Template(newPoint{X: 1})
	require.NoError(t, err)
}

func TestBind_AnotherFamilyConflicts(t *testing.T) {
	t.Parallel()
	s := &template.Schema{Kind: "old_point", Fields: []template.Field{{Name: "x", Class: template.String}}}
	_, err := compile[oldPoint](t).Bind(s)
	require.ErrorIs(t, err, template.ErrSchemaConflict)
	require.EqualError(t, err,
		`template: schema conflict: field "x" of kind "old_point" is string, and int in Go type template_test.oldPoint`)

	s = &template.Schema{
		Kind:   "old_point",
		Fields: []template.Field{{Name: "x", Class: template.Uint}, {Name: "y", Class: template.Int}},
	}
	_, err = compile[oldPoint](t).Bind(s)
	require.NoError(t, err)
}
