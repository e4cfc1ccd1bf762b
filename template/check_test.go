package template_test

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/template"
)

func TestValueCheck_RefusesWhatIsNotCanonical(t *testing.T) {
	t.Parallel()
	for name, v := range map[string]template.Value{
		"null":                  nil,
		"unknown tag":           {0x01},
		"bool with a tail":      {0x03, 0},
		"zero with a tail":      {0x18, 0},
		"integer cut off":       {0x1A, 1},
		"leading zero":          {0x1A, 0, 1},
		"leading zero, minus":   {0x16, 0xFF, 1},
		"minus zero":            {0x17, 0xFF},
		"below the least int64": {0x10, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFE},
		"float cut off":         {0x28, 0x80},
		"float minus zero":      {0x28, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF},
		"another NaN":           {0x28, 0xFF, 0xF8, 0, 0, 0, 0, 0, 1},
		"another NaN, minus":    {0x28, 0, 0, 0, 0, 0, 0, 0, 1},
		"time cut off":          {0x30, 0x80, 0, 0, 0, 0, 0, 0, 0},
		"a billion nanoseconds": {0x30, 0x80, 0, 0, 0, 0, 0, 0, 0, 0x3B, 0x9A, 0xCA, 0x00},
		"duration cut off":      {0x31},
		"list cut off":          {0x50, 2, 0x18},
		"long length":           {0x50, 0x81, 0x00, 0x18},
		"bad element":           {0x50, 1, 0x19},
		"key without value":     {0x51, 1, 0x18},
		"null key":              {0x51, 0, 1, 0x18},
		"key twice":             {0x51, 1, 0x18, 1, 0x18, 1, 0x18, 1, 0x18},
		"keys out of order":     {0x51, 1, 0x18, 0, 1, 0x03, 0},
		"list as key":           {0x51, 1, 0x50, 0},
		"nested too deeply":     nest(65),
	} {
		for c := template.Bool; c <= template.Struct; c++ {
			require.ErrorIs(t, v.Check(c), template.ErrMalformed, name)
		}
	}
}

// nest returns n nested lists.
func nest(n int) template.Value {
	v := template.Value{0x50}
	for range n - 1 {
		v = append(append(template.Value{0x50}, length(len(v))...), v...)
	}
	return v
}

func length(n int) []byte { return binary.AppendUvarint(nil, uint64(n)) }

func TestValueCheck_AcceptsTheFamilyOnly(t *testing.T) {
	t.Parallel()
	one := template.Value(template.AppendInt(nil, 1))
	require.NoError(t, one.Check(template.Int))
	require.NoError(t, one.Check(template.Uint))
	require.ErrorIs(t, one.Check(template.Float), template.ErrMalformed)
	require.ErrorIs(t, one.Check(template.Bool), template.ErrMalformed)
	require.NoError(t, template.Value{0x51}.Check(template.Struct))
	require.NoError(t, template.Value{0x51}.Check(template.Map))
	require.NoError(t, nest(64).Check(template.List))
}

func TestRowCheck(t *testing.T) {
	t.Parallel()
	s := &template.Schema{
		Kind:   "k",
		Fields: []template.Field{{Name: "a", Class: template.Int}, {Name: "b", Class: template.String}},
	}
	for name, c := range map[string]struct {
		row template.Row
		ok  bool
	}{
		"empty":             {nil, true},
		"both":              {template.Row{1, 0x18, 2, 0x40, 'x'}, true},
		"first null":        {template.Row{0, 1, 0x40}, true},
		"null at the end":   {template.Row{1, 0x18, 0}, false},
		"only a null":       {template.Row{0}, false},
		"too many":          {template.Row{1, 0x18, 1, 0x40, 1, 0x18}, false},
		"wrong class":       {template.Row{1, 0x40}, false},
		"cut off":           {template.Row{2, 0x19}, false},
		"length cut off":    {template.Row{0x80}, false},
		"length too long":   {template.Row{0x81, 0x00, 0x18}, false},
		"enormous length":   {template.Row{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01, 0x18}, false},
		"overflowing":       {template.Row{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 0x18}, false},
		"value not minimal": {template.Row{2, 0x19, 0}, false},
	} {
		if c.ok {
			require.NoError(t, c.row.Check(s), name)
		} else {
			require.ErrorIs(t, c.row.Check(s), template.ErrMalformed, name)
		}
	}
}
