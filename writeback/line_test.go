package writeback

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/template"
)

// unescape undoes the escapes of COPY's text format.
func unescape(t *testing.T, line []byte) []byte {
	t.Helper()
	plain := map[byte]byte{'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v', '\\': '\\'}
	var out []byte
	for i := 0; i < len(line); i++ {
		require.NotContains(t, "\n\t\r", string(line[i]), "a value ends neither its column nor its line")
		if line[i] != '\\' {
			out = append(out, line[i])
			continue
		}
		i++
		require.Less(t, i, len(line))
		c, ok := plain[line[i]]
		require.True(t, ok, "unknown escape %q", line[i])
		out = append(out, c)
	}
	return out
}

// texts returns s as PostgreSQL can hold it in a text.
func texts(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, replacement), "\x00", replacement)
}

func FuzzAppendText(f *testing.F) {
	for _, s := range []string{"", "plain", "\x00", "\\.", "\\N", "a\tb\nc\rd\be\ff\vg\\h", "\xff", "日本\u2028"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		line := appendText(nil, []byte(s))
		require.True(t, utf8.Valid(line))
		require.NotContains(t, string(line), "\x00")
		require.Equal(t, texts(s), string(unescape(t, line)))
	})
}

func FuzzAppendJSON(f *testing.F) {
	deep := template.AppendBool(nil, true)
	for range 3 {
		deep = append([]byte{0x50, byte(len(deep))}, deep...)
	}
	f.Add(deep)
	f.Add(template.AppendString(nil, "a\"\\\x00\n\x1f\xff"))
	f.Add(template.AppendFloat(nil, math.Inf(-1)))
	f.Add(template.AppendTime(nil, time.Time{}))
	f.Add(append([]byte{0x51, 2}, append(template.AppendInt(nil, 1), 0)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		v := template.Value(b)
		if v.Check(v.Class()) != nil {
			t.Skip() // such a row is never in a log
		}
		require.True(t, json.Valid(unescape(t, appendJSON(nil, v))), "%s", appendJSON(nil, v))
	})
}

func FuzzAppendTime(f *testing.F) {
	f.Add(int64(0), int64(0))
	f.Add(int64(-62135596800), int64(999_999_999))
	f.Add(int64(firstSecond), int64(1))
	f.Add(int64(endSecond), int64(0))
	f.Fuzz(func(t *testing.T, sec, nsec int64) {
		if nsec < 0 || nsec >= 1e9 {
			t.Skip()
		}
		at := time.Unix(sec, nsec).UTC()
		got := string(appendTime(nil, at))
		switch {
		case sec < firstSecond:
			require.Equal(t, "-infinity", got)
		case sec >= endSecond:
			require.Equal(t, "infinity", got)
		case at.Year() < 1:
			bc := at.AddDate(2*(1-at.Year())-1, 0, 0) // the year as written; it may lack 29 February
			require.Contains(t, got, at.Format("-01-02 15:04:05.999999+00 BC"))
			require.True(t, strings.HasPrefix(got, bc.Format("2006-")) || at.Year() < -9998 || at.YearDay() == 60)
		default:
			require.Equal(t, at.Format("2006-01-02 15:04:05.999999+00"), got)
		}
	})
}

func TestAppendLine_DoesNotAllocate(t *testing.T) { // not parallel, for AllocsPerRun
	s := &template.Schema{Kind: "k", Fields: []template.Field{
		{Name: "i", Class: template.Int},
		{Name: "s", Class: template.String},
		{Name: "t", Class: template.Time},
		{Name: "f", Class: template.Float},
	}}
	row, err := template.RowFromMap(s, map[string]any{"i": int64(1), "s": "text", "t": time.Unix(1.7e9, 0), "f": 1.5})
	require.NoError(t, err)
	table := newTable(1, s, Mirror, "s", "k")
	p := &put{entry: 1, expires: math.MaxInt64, row: row, standing: standing{state: ready}}
	buf := table.appendLine(nil, p)
	require.Equal(t, "1\t\\N\t\\N\tready\t\\N\t0\t1\ttext\t2023-11-14 22:13:20+00\t1.5\t\\N\n", string(buf))
	require.Zero(t, testing.AllocsPerRun(100, func() { buf = table.appendLine(buf[:0], p) }))
}

func TestAppendLine_WhatIsNoValueOfTheFieldIsNull(t *testing.T) {
	t.Parallel()
	s := &template.Schema{
		Kind:   "k",
		Fields: []template.Field{{Name: "i", Class: template.Int}, {Name: "s", Class: template.String}},
	}
	text := template.AppendString(nil, "x")
	row := append([]byte{byte(len(text))}, text...)
	row = append(row, 1, 0xEE)
	row = append(row, bytes.Repeat([]byte{1, 2}, 3)...) // more fields than the schema has
	require.Equal(t, "1\t\\N\t\\N\t\\N\t\\N\t0\t\\N\t\\N\t\\N\n",
		string(newTable(1, s, Mirror, "s", "k").appendLine(nil, &put{entry: 1, expires: math.MaxInt64, row: row})))
}
