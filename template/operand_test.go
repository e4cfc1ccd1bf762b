package template_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/template"
)

func TestOperand(t *testing.T) {
	t.Parallel()
	type colour string
	one := 1
	num := func(i int64) template.Value { return template.AppendInt(nil, i) }
	for _, c := range []struct {
		field string
		v     any
		want  template.Value // nil: refused
	}{
		{"int", int8(-1), num(-1)},
		{"int", uint64(1), num(1)},
		{"uint", 1, num(1)},
		{"uint", -1, num(-1)},
		{"int", &one, num(1)},
		{"int", uint64(math.MaxUint64), template.AppendUint(nil, math.MaxUint64)},
		{"int", 3.0, num(3)},
		{"int", -0x1p63, num(math.MinInt64)},
		{"int", 0x1p63, template.AppendUint(nil, 1<<63)},
		{"int", 3.5, nil},
		{"int", 0x1p64, nil},
		{"int", math.Inf(1), nil},
		{"int", math.NaN(), nil},
		{"int", "1", nil},
		{"int", true, nil},
		{"float", 3, template.AppendFloat(nil, 3)},
		{"float", float32(0.5), template.AppendFloat(nil, 0.5)},
		{"float", 1<<53 + 1, nil},
		{"bool", true, template.AppendBool(nil, true)},
		{"bool", 1, nil},
		{"string", colour("red"), template.AppendString(nil, "red")},
		{"string", []byte("red"), nil},
		{"bytes", [2]byte{1, 2}, template.AppendBytes(nil, []byte{1, 2})},
		{"bytes", "red", nil},
		{"time", time.Unix(1, 2), template.AppendTime(nil, time.Unix(1, 2))},
		{"time", 1, nil},
		{"duration", time.Second, template.AppendDuration(nil, time.Second)},
		{"duration", 1, nil},
		{"list", []any{1, "x", nil}, template.Value{0x50, 2, 0x19, 1, 2, 0x40, 'x', 0}},
		{"list", map[string]int{}, nil},
		{"map", map[string]any{"b": nil, "a": 1}, template.Value{0x51, 2, 0x40, 'a', 2, 0x19, 1, 2, 0x40, 'b', 0}},
		{"struct", Inner{Name: "x"}, template.Value{0x51, 5, 0x40, 'n', 'a', 'm', 'e', 2, 0x40, 'x'}},
		{"map", template.Pairs{{2, 1}, {1, 1}}, template.Value{0x51, 2, 0x19, 1, 2, 0x19, 1, 2, 0x19, 2, 2, 0x19, 1}},
		{"map", template.Pairs{{1, 1}, {uint8(1), 1}}, nil},
		{"map", template.Pairs{{nil, 1}}, nil},
		{"map", template.Pairs{{[]int{}, 1}}, nil},
		{"int", nil, nil},
		{"int", (*int)(nil), nil},
		{"list", []any(nil), nil},
		{"map", map[string]any(nil), nil},
		{"map", template.Pairs(nil), nil},
		{"list", []string(nil), nil},
		{"list", make(chan int), nil},
		{"list", []any{make(chan int)}, nil},
		{"unknown", 1, nil},
	} {
		i, v, err := everyClass.Operand(c.field, c.v)
		if c.want == nil {
			require.Error(t, err, "%s %v", c.field, c.v)
			continue
		}
		require.NoError(t, err, "%s %v", c.field, c.v)
		require.Equal(t, c.want, v, "%s %v", c.field, c.v)
		require.Equal(t, c.field, everyClass.Fields[i].Name)
		require.NoError(t, v.Check(everyClass.Fields[i].Class))
	}
	_, _, err := everyClass.Operand("int", 3.5)
	require.EqualError(t, err, `field "int" of kind "all": float 3.5 does not fit a field of class int`)
	_, _, err = everyClass.Operand("int", strings.Repeat("é", 1<<20))
	require.EqualError(t, err,
		`field "int" of kind "all": string `+strings.Repeat("é", 50)+`… does not fit a field of class int`)
	_, _, err = everyClass.Operand("nope", 3.5)
	require.EqualError(t, err, `kind "all" has no field "nope"`)
}

func TestOperand_EndlessValuesAreAnError(t *testing.T) {
	t.Parallel()
	list, pairs := make([]any, 1), make(template.Pairs, 1)
	list[0], pairs[0] = list, template.Pair{Key: 1, Value: pairs}
	table := map[string]any{}
	table["x"] = table
	for field, v := range map[string]any{"list": list, "map": table, "struct": pairs} {
		_, _, err := everyClass.Operand(field, v)
		require.ErrorContains(t, err, "nested deeper than 64")
	}
}
