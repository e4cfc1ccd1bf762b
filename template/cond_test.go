package template_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/template"
)

var everyClass = &template.Schema{Kind: "all", Fields: []template.Field{
	{Name: "bool", Class: template.Bool},
	{Name: "int", Class: template.Int},
	{Name: "uint", Class: template.Uint},
	{Name: "float", Class: template.Float},
	{Name: "string", Class: template.String},
	{Name: "bytes", Class: template.Bytes},
	{Name: "time", Class: template.Time},
	{Name: "duration", Class: template.Duration},
	{Name: "list", Class: template.List},
	{Name: "map", Class: template.Map},
	{Name: "struct", Class: template.Struct},
}}

// operands holds an operand for every field of everyClass.
var operands = map[string]any{
	"bool": true, "int": 1, "uint": 1, "float": 1.5, "string": "x", "bytes": []byte("x"), "time": time.Unix(1, 0),
	"duration": time.Second, "list": []int{1}, "map": map[string]int{"x": 1}, "struct": Inner{Name: "x"},
}

func TestCheckConds_OperationsOfClasses(t *testing.T) {
	t.Parallel()
	legal := make(map[string]string)
	for _, f := range everyClass.Fields {
		i, v, err := everyClass.Operand(f.Name, operands[f.Name])
		require.NoError(t, err)
		for op := template.Op(0); op <= template.NotNull+1; op++ {
			c := template.Cond{Field: i, Op: op, Value: v}
			switch op {
			case template.In:
				c.Value, c.Values = nil, []template.Value{v}
			case template.IsNull, template.NotNull:
				c.Value = nil
			}
			if template.CheckConds(everyClass, []template.Cond{c}) == nil {
				legal[f.Name] += op.String() + " "
			}
		}
	}
	const (
		equality = "= != in is null is not null "
		ordered  = "= != < <= > >= in is null is not null "
		texts    = "= != < <= > >= in prefix is null is not null "
	)
	require.Equal(t, map[string]string{
		"bool": ordered, "int": ordered, "uint": ordered, "float": ordered, "string": texts, "bytes": texts,
		"time": ordered, "duration": ordered, "list": equality, "map": equality, "struct": equality,
	}, legal)
}

func TestCheckConds_Refuses(t *testing.T) {
	t.Parallel()
	one, text := template.Value(template.AppendInt(nil, 1)), template.Value(template.AppendString(nil, "x"))
	for name, c := range map[string]template.Cond{
		"field below":         {Field: -1, Op: template.IsNull},
		"field beyond":        {Field: 11, Op: template.IsNull},
		"no operand":          {Field: 1, Op: template.Eq},
		"wrong class":         {Field: 1, Op: template.Eq, Value: text},
		"not canonical":       {Field: 1, Op: template.Eq, Value: template.Value{0x19, 0}},
		"operand of null":     {Field: 1, Op: template.IsNull, Value: one},
		"operands of equal":   {Field: 1, Op: template.Eq, Value: one, Values: []template.Value{one}},
		"operand of in":       {Field: 1, Op: template.In, Value: one, Values: []template.Value{one}},
		"in nothing":          {Field: 1, Op: template.In},
		"in the wrong class":  {Field: 1, Op: template.In, Values: []template.Value{one, text}},
		"in null":             {Field: 1, Op: template.In, Values: []template.Value{nil}},
		"in far too many":     {Field: 1, Op: template.In, Values: make([]template.Value, template.MaxOperands+1)},
		"unknown operation":   {Field: 1, Op: 11, Value: one},
		"prefix of a number":  {Field: 1, Op: template.Prefix, Value: one},
		"order between lists": {Field: 8, Op: template.Lt, Value: template.Value{0x50}},
	} {
		require.Error(t, template.CheckConds(everyClass, []template.Cond{c}), name)
	}
	require.Error(t, template.CheckConds(everyClass, make([]template.Cond, template.MaxOperands+1)))
	require.NoError(t, template.CheckConds(everyClass, nil))
}

func TestCondCodec(t *testing.T) {
	t.Parallel()
	v := func(s string) template.Value { return template.AppendString(nil, s) }
	conds := []template.Cond{
		{Field: 0, Op: template.Eq, Value: v("")},
		{Field: 1023, Op: template.Prefix, Value: v(string(make([]byte, 200)))},
		{Field: 3, Op: template.In, Values: []template.Value{v("a"), v("b")}},
		{Field: 4, Op: template.IsNull},
		{Field: 5, Op: template.NotNull},
	}
	b := template.AppendConds(nil, conds)
	got, rest, err := template.DecodeConds(append(b, "rest"...))
	require.NoError(t, err)
	require.Equal(t, conds, got)
	require.Equal(t, "rest", string(rest))
	for n := range b {
		_, _, err := template.DecodeConds(b[:n])
		require.ErrorIs(t, err, template.ErrMalformed, "cut to %d of %d bytes", n, len(b))
	}

	got, _, err = template.DecodeConds(b)
	require.NoError(t, err)
	clear(b)
	require.Equal(t, conds, got, "operands are copies")
}

func TestOrderCodec(t *testing.T) {
	t.Parallel()
	order := []template.Order{{Field: 0}, {Field: 1023, Desc: true}}
	b := template.AppendOrder(nil, order)
	got, rest, err := template.DecodeOrder(append(b, 7))
	require.NoError(t, err)
	require.Equal(t, order, got)
	require.Equal(t, []byte{7}, rest)
	for n := range b {
		_, _, err := template.DecodeOrder(b[:n])
		require.ErrorIs(t, err, template.ErrMalformed)
	}
}

func TestCheckOrder(t *testing.T) {
	t.Parallel()
	require.NoError(t, template.CheckOrder(everyClass, []template.Order{{Field: 0}, {Field: 7, Desc: true}}))
	for _, i := range []int{-1, 8, 9, 10, 11} {
		require.Error(t, template.CheckOrder(everyClass, []template.Order{{Field: i}}))
	}
	require.Error(t, template.CheckOrder(everyClass, make([]template.Order, template.MaxOrder+1)))
}
