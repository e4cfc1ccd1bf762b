package template_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/template"
)

func TestAppendPlainJSON_IsTheValueThatTheTextIs(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]any{
		` null `: nil, `true`: true, `false`: false, `""`: "", `"a\u00e9\n\"\\"`: "aé\n\"\\", `"é"`: "é",
		`0`: int64(0), `-9223372036854775808`: int64(-1 << 63), `18446744073709551615`: uint64(1<<64 - 1),
		`18446744073709551616`: float64(1 << 64),
		`1.0`:                  1.0, `-1.5e3`: -1500.0, `[]`: []any{},
		`[1, [null, "x"], {}]`: []any{int64(1), []any{nil, "x"}, map[string]any{}},
		`{"b": 1, "a": {"z": null, "y": [true]}, "aa" :2}`: map[string]any{
			"a":  map[string]any{"z": nil, "y": []any{true}},
			"aa": int64(2), "b": int64(1),
		},
		`{"b": 1, "a": 2, "b": 3}`: map[string]any{"a": int64(2), "b": int64(3)},
		`{"a": 1, "a": 2}`:         map[string]any{"a": int64(2)},
	} {
		v, err := template.AppendPlainJSON([]byte("x"), []byte(text))
		require.NoError(t, err, text)
		require.Equal(t, "x", string(v[:1]))
		got := template.Value(v[1:])
		require.Equal(t, want, got.Any(), text)
		if want != nil {
			require.NoError(t, got.Check(got.Class()), text)
		}
	}
}

func TestAppendPlainJSON_RefusesWhatIsNotJSON(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "tru", "nul", `"`, `"\`, `"\"`, `"\x"`, "-", "1-1", "1 2", "[", "[1", "[1,", "[1,]",
		"{", `{"a"`, `{"a":`, `{"a":1`, `{a:1}`, "]",
	} {
		_, err := template.AppendPlainJSON(nil, []byte(text))
		require.Error(t, err, text)
	}
	deep := make([]byte, 1000)
	for i := range deep {
		deep[i] = '['
	}
	_, err := template.AppendPlainJSON(nil, deep)
	require.ErrorContains(t, err, "deep")
}
