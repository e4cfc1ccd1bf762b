package template_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/template"
)

func TestAppendJSON(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		v    Everything
		want string
	}{
		"full": {everything(), `{"flag":true,"small":-128,"big":-9223372036854775808,"unsigned":18446744073709551615,` +
			`"single":1.5,"double":-2.25,"text":"text","blob":"","hash":"AQIDBA==",` +
			`"at":"2026-02-03T04:05:06.000000007Z","wait":"1m0s","maybe":7,"list":["a",""],"fixed":[1,2],` +
			`"map":{"-1":"minus","1":"one"},"inner":{"name":"in"},"pointer":{"name":"","opt":0.5},` +
			`"chain":{"n":1,"next":{"n":2}},"table":{"":null,"x":[{"name":"y"}]}}`},
		"zero": {
			Everything{},
			`{"flag":false,"small":0,"big":0,"unsigned":0,"single":0.0,"double":0.0,"text":"","hash":"AAAAAA==",` +
				`"at":"0001-01-01T00:00:00Z","wait":"0s","fixed":[0,0],"inner":{"name":""}}`,
		},
	} {
		codec := compile[Everything](t)
		row := encode(t, codec, c.v)
		text := template.AppendJSON(nil, codec.Schema(), row)
		require.Equal(t, c.want, string(text), name)
		require.True(t, json.Valid(text))
	}
}

func TestJSON_RoundTrip(t *testing.T) {
	t.Parallel()
	type Floats struct {
		F []float64
		G float64
		S string
		M map[string]*int
	}
	c := compile[Floats](t)
	for _, f := range []float64{0, 1, -1e20, 1e15, 1e14, 0.1, 1e-7, math.MaxFloat64, math.SmallestNonzeroFloat64} {
		row := encode(t, c,
			Floats{F: []float64{f, -f}, G: f, S: "\x00\x1f\x7f\"\\\n\té\u2028<", M: map[string]*int{"x": nil}})
		back, err := template.ParseJSON(c.Schema(), template.AppendJSON(nil, c.Schema(), row))
		require.NoError(t, err)
		require.Equal(t, row, back)
	}
	for _, f := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		row := encode(t, c, Floats{G: f})
		back, err := template.ParseJSON(c.Schema(), template.AppendJSON(nil, c.Schema(), row))
		require.NoError(t, err)
		require.Equal(t, row, back)
	}
}

func TestAppendJSON_InvalidUTF8(t *testing.T) {
	t.Parallel()
	require.Equal(t, "\"a\uFFFDb\"", template.Value(template.AppendString(nil, "a\xffb")).String())
}

func TestParseJSON(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		field, json string
		want        any // nil: refused
	}{
		{"bool", `true`, true},
		{"bool", `1`, nil},
		{"int", `-9223372036854775808`, int64(math.MinInt64)},
		{"int", `9007199254740993`, int64(9007199254740993)},
		{"uint", `18446744073709551615`, uint64(math.MaxUint64)},
		{"int", `1e3`, int64(1000)},
		{"int", `1.5`, nil},
		{"int", `18446744073709551616`, nil},
		{"int", `"1"`, nil},
		{"float", `1`, 1.0},
		{"float", `100000000000000000000`, 1e20},
		{"float", `"-Inf"`, math.Inf(-1)},
		{"float", `"many"`, nil},
		{"float", `1e999`, nil},
		{"string", `"x"`, "x"},
		{"string", `1`, nil},
		{"bytes", `"AQI="`, []byte{1, 2}},
		{"bytes", `"?"`, nil},
		{"time", `"2026-01-02T03:04:05.5+01:00"`, time.Date(2026, 1, 2, 2, 4, 5, 5e8, time.UTC)},
		{"time", `"yesterday"`, nil},
		{"time", `1`, nil},
		{"time", `"9999-12-31T23:59:59-01:00"`, nil},
		{"time", `"0000-01-01T00:00:00+01:00"`, nil},
		{"duration", `"1.5s"`, 1500 * time.Millisecond},
		{"duration", `7`, 7 * time.Nanosecond},
		{"duration", `7.5`, nil},
		{"duration", `"7"`, nil},
		{"list", `[1, 1.0, "x", null, [true]]`, []any{int64(1), 1.0, "x", nil, []any{true}}},
		{"list", `[18446744073709551616]`, nil},
		{"list", `{}`, nil},
		{"map", `{"a": {"b": 1}, "n": null}`, map[string]any{"a": map[string]any{"b": int64(1)}, "n": nil}},
		{"struct", `{"a": {"b": null}, "n": null}`, map[string]any{"a": map[string]any{}}},
		{"map", `{"a": 1e999}`, nil},
		{"map", `[]`, nil},
	} {
		row, err := template.ParseJSON(everyClass, []byte(`{"`+c.field+`": `+c.json+`}`))
		if c.want == nil {
			require.ErrorContains(t, err, `field "`+c.field+`"`, c.json)
			continue
		}
		require.NoError(t, err, c.json)
		require.NoError(t, row.Check(everyClass))
		require.Equal(t, map[string]any{c.field: c.want}, row.Map(everyClass))
	}
}

func TestParseJSON_RefusesWhatIsNoObjectOfTheKind(t *testing.T) {
	t.Parallel()
	for _, data := range []string{
		``, `1`, `null`, `[]`, `{`, `{"int"`, `{"int":`, `{"int":1`, `{"int":1}{}`,
		`{"int":1} x`, `{"int":1,"int":2}`, `{"other":1}`,
	} {
		_, err := template.ParseJSON(everyClass, []byte(data))
		require.Error(t, err, data)
		_, err = template.CondsFromJSON(everyClass, []byte(data))
		require.Error(t, err, data)
	}
	_, err := template.ParseJSON(everyClass, []byte(`{"other":1}`))
	require.EqualError(t, err, `template: kind "all" has no field "other"`)
	_, err = template.CondsFromJSON(everyClass, []byte(`{"other":null}`))
	require.Error(t, err, "most likely a slip")
	row, err := template.ParseJSON(everyClass, []byte(`{"int":null,"other":null}`))
	require.NoError(t, err)
	require.Empty(t, row)
}

func TestCondsFromJSON(t *testing.T) {
	t.Parallel()
	conds, err := template.CondsFromJSON(everyClass, []byte(`{"string":"x","int":1,"duration":"1s","list":null}`))
	require.NoError(t, err)
	require.Equal(t, []template.Cond{
		{Field: 4, Op: template.Eq, Value: template.AppendString(nil, "x")},
		{Field: 1, Op: template.Eq, Value: template.AppendInt(nil, 1)},
		{Field: 7, Op: template.Eq, Value: template.AppendDuration(nil, time.Second)},
		{Field: 8, Op: template.IsNull},
	}, conds)
	conds, err = template.CondsFromJSON(everyClass, []byte(`{}`))
	require.NoError(t, err)
	require.Empty(t, conds)
	_, err = template.CondsFromJSON(everyClass, []byte(`{"int":"x"}`))
	require.ErrorContains(t, err, `field "int"`)
}

func TestInferSchema(t *testing.T) {
	t.Parallel()
	data := []byte(`{"z":1,"a":1.0,"s":"x","b":true,"l":[],"m":{},"n":null,"e":1e3}`)
	s, err := template.InferSchema("k", nil, data)
	require.NoError(t, err)
	require.Equal(t, &template.Schema{Kind: "k", Fields: []template.Field{
		{Name: "z", Class: template.Int},
		{Name: "a", Class: template.Float},
		{Name: "s", Class: template.String},
		{Name: "b", Class: template.Bool},
		{Name: "l", Class: template.List},
		{Name: "m", Class: template.Map},
		{Name: "e", Class: template.Float},
	}}, s)
	_, err = template.ParseJSON(s, []byte(`{"z":1,"a":1.0,"s":"x","b":true,"l":[],"m":{},"e":1e3}`))
	require.NoError(t, err)

	same, err := template.InferSchema("k", s, data)
	require.NoError(t, err)
	require.Same(t, s, same)

	more, err := template.InferSchema("k", s, []byte(`{"new":1,"z":"whatever"}`))
	require.NoError(t, err)
	require.Equal(t, append(s.Fields[:7:7], template.Field{Name: "new", Class: template.Int}), more.Fields)

	for _, kind := range []string{"", "other"} {
		_, err = template.InferSchema(kind, s, data)
		require.Error(t, err)
	}
	_, err = template.InferSchema("", nil, data)
	require.Error(t, err)
	_, err = template.InferSchema("k", nil, []byte(`{"":1}`))
	require.ErrorContains(t, err, "a field: the name is empty")
}

func TestRowFromMap(t *testing.T) {
	t.Parallel()
	c := compile[Everything](t)
	row := encode(t, c, everything())
	back, err := template.RowFromMap(c.Schema(), row.Map(c.Schema()))
	require.NoError(t, err)
	require.Equal(t, row, back)

	_, err = template.RowFromMap(c.Schema(), map[string]any{"small": "x"})
	require.EqualError(t, err, `template: field "small" of kind "everything": string x does not fit a field of class int`)
	_, err = template.RowFromMap(c.Schema(), map[string]any{"y": 1, "x": 1})
	require.EqualError(t, err, `template: kind "everything" has no field "x"`)
}
