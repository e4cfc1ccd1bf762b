package template_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/template"
)

func fields(names ...string) []template.Field {
	var fs []template.Field
	for _, n := range names {
		fs = append(fs, template.Field{Name: n, Class: template.Int})
	}
	return fs
}

func TestMerge(t *testing.T) {
	t.Parallel()
	s := &template.Schema{Kind: "k", Fields: fields("a", "b"), Supers: []string{"z"}}
	same, err := s.Merge(&template.Schema{Kind: "k", Fields: fields("b")})
	require.NoError(t, err)
	require.Same(t, s, same)

	more, err := s.Merge(&template.Schema{Kind: "k", Fields: fields("c", "a"), Supers: []string{"y", "z"}})
	require.NoError(t, err)
	require.Equal(t, &template.Schema{Kind: "k", Fields: fields("a", "b", "c"), Supers: []string{"y", "z"}}, more)
	require.Equal(t, &template.Schema{Kind: "k", Fields: fields("a", "b"), Supers: []string{"z"}}, s, "unchanged")
}

func TestMerge_Conflicts(t *testing.T) {
	t.Parallel()
	s := &template.Schema{Kind: "k", Fields: []template.Field{{"a", template.Int, template.Route}, {"m", template.Map, 0}}}
	for name, next := range map[string][]template.Field{
		"class":        {{"a", template.String, 0}},
		"second route": {{"b", template.Int, template.Route}},
	} {
		_, err := s.Merge(&template.Schema{Kind: "k", Fields: next})
		require.ErrorIs(t, err, template.ErrSchemaConflict, name)
	}
	_, err := s.Merge(&template.Schema{
		Kind:   "k",
		Fields: []template.Field{{"a", template.Uint, 0}, {"m", template.Struct, 0}},
	})
	require.NoError(t, err, "the same families")
}

func TestSchemaCheck(t *testing.T) {
	t.Parallel()
	for want, s := range map[string]template.Schema{
		"kind: the name is empty":     {},
		"the name has 256 bytes":      {Kind: strings.Repeat("k", 256)},
		"not valid UTF-8":             {Kind: "\xff"},
		"a field: the name is empty":  {Kind: "k", Fields: fields("")},
		`field "a" is there twice`:    {Kind: "k", Fields: fields("a", "a")},
		"unknown class(0)":            {Kind: "k", Fields: []template.Field{{Name: "a"}}},
		"unknown class(12)":           {Kind: "k", Fields: []template.Field{{Name: "a", Class: 12}}},
		"unknown role 4":              {Kind: "k", Fields: []template.Field{{"a", template.Int, 4}}},
		"1025 fields, more than 1024": {Kind: "k", Fields: make([]template.Field, 1025)},
		"at most one route field": {
			Kind:   "k",
			Fields: []template.Field{{"a", template.Int, template.Route}, {"b", template.Int, template.Route}},
		},
		"not sorted":                       {Kind: "k", Supers: []string{"b", "a"}},
		"not distinct":                     {Kind: "k", Supers: []string{"a", "a"}},
		"embeds itself":                    {Kind: "k", Supers: []string{"k"}},
		"embedded kind: the name is empty": {Kind: "k", Supers: []string{""}},
		"embeds 65 kinds":                  {Kind: "k", Supers: make([]string, 65)},
	} {
		require.ErrorContains(t, s.Check(), want)
	}
}

func TestSchemaCodec(t *testing.T) {
	t.Parallel()
	for _, s := range []*template.Schema{
		{Kind: "k"},
		{
			Kind: "k", Fields: []template.Field{{"a", template.Bool, template.ID | template.Route}, {"é", template.Struct, 0}},
			Supers: []string{"x", "y"},
		},
		compile[Everything](t).Schema(),
	} {
		b := template.AppendSchema(nil, s)
		got, err := template.DecodeSchema(b)
		require.NoError(t, err)
		require.Equal(t, s, got)
		for n := range b {
			_, err := template.DecodeSchema(b[:n])
			require.ErrorIs(t, err, template.ErrMalformed, "cut to %d of %d bytes", n, len(b))
		}
		_, err = template.DecodeSchema(append(b, 0))
		require.ErrorIs(t, err, template.ErrMalformed)
	}
	_, err := template.DecodeSchema([]byte{9})
	require.ErrorContains(t, err, "schema version 9")
}

func TestClass_String(t *testing.T) {
	t.Parallel()
	require.Equal(t, "duration", template.Duration.String())
	require.Equal(t, "class(0)", template.Class(0).String())
	require.Equal(t, "prefix", template.Prefix.String())
	require.Equal(t, "op(0)", template.Op(0).String())
}
