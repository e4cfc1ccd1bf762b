package template_test

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/template"
)

// FuzzRoundTrip: what a Go type encodes is canonical, and decodes to the same values.
func FuzzRoundTrip(f *testing.F) {
	c := compile[Everything](f)
	f.Fuzz(func(t *testing.T, i int64, u uint64, x float64, s string, b []byte, n uint8) {
		if math.IsNaN(x) {
			x = math.NaN() // one NaN is as good as another
		}
		small := int(int8(n))
		in := Everything{
			Flag: n&1 == 1, Small: int8(i), Big: i, Unsigned: u, Single: float32(int16(i)), Double: x, Text: s, Blob: b,
			At: time.Unix(i>>24, i&0xFFFFFF).UTC(), Wait: time.Duration(i), Maybe: &small, List: []string{s, "", s},
			Fixed: [2]int{small, 1},
			Map:   map[int]string{small: s, -1: ""}, Inner: Inner{Name: s, Opt: &x},
			Table: map[string][]Inner{s: {{Name: s}, {}}},
		}
		for range n % 60 {
			in.Chain = &Link{small, in.Chain}
		}
		row := encode(t, c, &in)
		var out Everything
		require.NoError(t, c.DecodeRow(row, &out))
		require.Equal(t, []byte(row), []byte(encode(t, c, &out)))
		if x == x {
			if x == 0 {
				in.Double, *in.Inner.Opt = 0, 0 // negative zero is zero
			}
			require.Equal(t, in, out)
		}
	})
}

// bounded runs f and fails if it allocates far more than an input of n bytes justifies.
func bounded(t *testing.T, n int, f func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	require.LessOrEqual(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20+1000*n))
}

// FuzzValue: hostile bytes neither panic nor cause large allocations; bytes that pass Check are the encoding of what
// they decode to.
func FuzzValue(f *testing.F) {
	s := &template.Schema{Kind: "k", Fields: []template.Field{{Name: "v"}}}
	f.Fuzz(func(t *testing.T, b []byte) {
		v := template.Value(b)
		bounded(t, len(b), func() {
			_, _ = v.Any(), v.String()
			for e := range v.Elements() {
				_ = e.Class()
			}
		})
		for class := template.Bool; class <= template.Struct; class++ {
			if v.Check(class) != nil {
				continue
			}
			s.Fields[0].Class = class
			row, err := template.RowFromMap(s, map[string]any{"v": v.Any()})
			require.NoError(t, err)
			require.Equal(t, b, []byte(row.Field(0)))
		}
	})
}

// FuzzRow: hostile rows neither panic nor cause large allocations; rows that pass Check survive the way to Go or JSON
// and back.
func FuzzRow(f *testing.F) {
	c := compile[Everything](f)
	f.Add([]byte(encode(f, c, everything())))
	f.Fuzz(func(t *testing.T, b []byte) {
		row := template.Row(b)
		bounded(t, len(b), func() {
			_ = c.DecodeRow(row, new(Everything))
			_ = template.AppendJSON(nil, c.Schema(), row)
			for i := range 30 {
				row.Field(i)
			}
		})
		if row.Check(c.Schema()) != nil {
			return
		}
		back, err := template.RowFromMap(c.Schema(), row.Map(c.Schema()))
		require.NoError(t, err)
		require.Equal(t, b, append([]byte{}, back...))

		var v Everything
		if c.DecodeRow(row, &v) == nil {
			again, err := c.AppendRow(nil, &v)
			require.NoError(t, err)
			require.NoError(t, template.Row(again).Check(c.Schema()))
		}
	})
}

// FuzzDecodeSchema: only the output of AppendSchema is accepted.
func FuzzDecodeSchema(f *testing.F) {
	f.Add(template.AppendSchema(nil, compile[Above](f).Schema()))
	f.Fuzz(func(t *testing.T, b []byte) {
		var s *template.Schema
		var err error
		bounded(t, len(b), func() { s, err = template.DecodeSchema(b) })
		if err != nil {
			require.ErrorIs(t, err, template.ErrMalformed)
			return
		}
		require.NoError(t, s.Check())
		require.Equal(t, b, template.AppendSchema(nil, s))
	})
}

// FuzzDecodeConds: only the output of AppendConds and AppendOrder is accepted.
func FuzzDecodeConds(f *testing.F) {
	c := compile[Everything](f)
	conds, err := c.Template(everything())
	require.NoError(f, err)
	f.Add(template.AppendConds(nil, conds))
	f.Fuzz(func(t *testing.T, b []byte) {
		bounded(t, len(b), func() {
			if conds, rest, err := template.DecodeConds(b); err == nil {
				require.Equal(t, b, append(template.AppendConds(nil, conds), rest...))
				if template.CheckConds(c.Schema(), conds) == nil {
					(&template.Template{Conds: conds}).Match(template.Row(b))
				}
			}
			if order, rest, err := template.DecodeOrder(b); err == nil {
				require.Equal(t, b, append(template.AppendOrder(nil, order), rest...))
				_ = template.CheckOrder(c.Schema(), order)
			}
		})
	})
}

// FuzzParseJSON: accepted input gives a good row, and the row's own JSON gives the same row.
func FuzzParseJSON(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := template.InferSchema("k", everyClass, data)
		if err != nil {
			return
		}
		row, err := template.ParseJSON(s, data)
		if err != nil {
			return
		}
		require.NoError(t, row.Check(s))
		text := template.AppendJSON(nil, s, row)
		back, err := template.ParseJSON(s, text)
		require.NoError(t, err, "%s", text)
		require.Equal(t, row, back, "%s", text)
		conds, err := template.CondsFromJSON(s, text)
		require.NoError(t, err)
		require.NoError(t, template.CheckConds(s, conds))
		require.True(t, (&template.Template{Conds: conds}).Match(row))
	})
}

// FuzzOrder: the encodings of any two integers, floats or strings compare as the values do.
func FuzzOrder(f *testing.F) {
	f.Fuzz(func(t *testing.T, a, b []byte) {
		n := func(b []byte) uint64 {
			var buf [8]byte
			copy(buf[:], b)
			return binary.BigEndian.Uint64(buf[:])
		}
		agree(t, template.Bytes, [][]byte{a, b}, template.AppendBytes, bytes.Compare)
		agree(t, template.Int, []int64{int64(n(a)), int64(n(b))}, template.AppendInt, cmp.Compare[int64])
		agree(t, template.Uint, []uint64{n(a), n(b)}, template.AppendUint, cmp.Compare[uint64])
		agree(t, template.Float, []float64{math.Float64frombits(n(a)), math.Float64frombits(n(b))}, template.AppendFloat,
			cmp.Compare[float64])
	})
}
