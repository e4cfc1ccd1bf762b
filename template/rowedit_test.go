package template_test

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/template"
)

func TestRowWith_ReplacesOneField(t *testing.T) {
	t.Parallel()
	a, b, c := template.AppendInt(nil, 1), template.AppendString(nil, "b"), template.AppendInt(nil, 3)
	for _, want := range [][]template.Value{{c, b}, {a, c}, {a, b, c}, {a, b, nil, c}, {nil, b}, {a, nil}, {a, b, nil}} {
		var row template.Row
		row = row.With(0, a).With(1, b)
		for i, v := range want {
			row = row.With(i, v)
		}
		n := 0
		for i, v := range row.Fields() {
			require.Equal(t, want[i], v)
			n++
		}
		for _, v := range want[n:] {
			require.Nil(t, v)
		}
		if n > 0 {
			require.NotNil(t, row.Field(n-1), "nulls at the end are left out")
		}
	}
	require.Empty(t, template.Row(nil).With(3, nil))
}

func TestAppendOver_KeepsWhatTheTypeDoesNotHave(t *testing.T) {
	t.Parallel()
	type wide struct {
		A string
		B int
		C *string
		D string
	}
	type small struct {
		B int
		C *string
	}
	whole, err := template.Compile(reflect.TypeFor[wide]())
	require.NoError(t, err)
	part, err := template.Compile(reflect.TypeFor[small]())
	require.NoError(t, err)
	part, err = part.Bind(whole.Schema())
	require.NoError(t, err)
	c := "c"
	for _, old := range []wide{{}, {A: "a", B: 1, C: &c, D: "d"}, {A: "a"}} {
		for _, v := range []small{{}, {B: 2}, {C: &c}, {B: 300, C: &c}} {
			base, err := whole.AppendRow(nil, &old)
			require.NoError(t, err)
			row, err := part.AppendOver([]byte("kept"), base, &v)
			require.NoError(t, err)
			want, err := whole.AppendRow([]byte("kept"), &wide{A: old.A, B: v.B, C: v.C, D: old.D})
			require.NoError(t, err)
			require.Equal(t, want, row)
		}
	}
	_, err = part.AppendOver(nil, template.Row{9}, &small{})
	require.ErrorIs(t, err, template.ErrMalformed)
	_, err = part.AppendOver(nil, nil, 5)
	require.Error(t, err)

	type more struct{ E int }
	other, err := template.Compile(reflect.TypeFor[more]())
	require.NoError(t, err)
	other, err = other.Bind(whole.Schema())
	require.NoError(t, err)
	_, err = other.AppendOver(nil, nil, &more{})
	require.ErrorIs(t, err, template.ErrSchemaConflict)
}
