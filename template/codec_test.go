package template_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/template"
)

func TestCodec_RoundTrip(t *testing.T) {
	t.Parallel()
	c := compile[Everything](t)
	for name, want := range map[string]Everything{"full": everything(), "zero": {}} {
		for form, v := range map[string]any{"value": want, "pointer": &want} {
			got := everything() // DecodeRow must overwrite every field
			require.NoError(t, c.DecodeRow(encode(t, c, v), &got))
			require.Equal(t, want, got, "%s %s", name, form)
		}
	}
}

func TestCodec_TimesAreInstants(t *testing.T) {
	t.Parallel()
	c := compile[Job](t)
	at := time.Date(2026, 3, 4, 5, 6, 7, 8, time.FixedZone("west", -7200))
	require.Equal(t, encode(t, c, Job{Due: at}), encode(t, c, Job{Due: at.UTC()}))
	var got Job
	require.NoError(t, c.DecodeRow(encode(t, c, Job{Due: at}), &got))
	require.Equal(t, at.UTC(), got.Due)
}

func TestCodec_MapsHaveNoOrder(t *testing.T) {
	t.Parallel()
	type M struct{ M map[string]int }
	c := compile[M](t)
	a, b := M{map[string]int{}}, M{map[string]int{}}
	for i := range 100 {
		a.M[string(rune('a'+i))] = i
		b.M[string(rune('a'+99-i))] = 99 - i
	}
	require.Equal(t, encode(t, c, a), encode(t, c, b))
}

func TestCodec_WidthOfIntegersDoesNotMatter(t *testing.T) {
	t.Parallel()
	type Narrow struct{ N int8 }
	type Wide struct{ N uint64 }
	require.Equal(t, encode(t, compile[Narrow](t), Narrow{100}), encode(t, compile[Wide](t), Wide{100}))
}

func TestCodec_DropsNullsAtTheEnd(t *testing.T) {
	t.Parallel()
	type N struct{ A, B, C *int }
	one := 1
	c := compile[N](t)
	require.Equal(t, template.Row{0, 2, 0x19, 1}, encode(t, c, N{B: &one}))
	require.Empty(t, encode(t, c, N{}))
}

func TestCodec_ResultsShareNothing(t *testing.T) {
	t.Parallel()
	c := compile[Everything](t)
	in := everything()
	in.Blob = []byte("blob")
	row := encode(t, c, in)
	var a, b Everything
	require.NoError(t, c.DecodeRow(row, &a))
	require.NoError(t, c.DecodeRow(row, &b))
	clear(row)
	a.Blob[0], a.List[0], a.Map[1], *a.Maybe, a.Chain.Next.N = 'X', "X", "X", 0, 0
	require.Equal(t, in, b)
}

func TestCodec_LongValues(t *testing.T) {
	t.Parallel()
	type L struct {
		A, B []byte
		C    string
	}
	c := compile[L](t)
	for _, n := range []int{126, 127, 128, 16383, 16384, 1 << 20} {
		want := L{A: make([]byte, n), B: []byte{1}, C: string(make([]byte, n))}
		var got L
		require.NoError(t, c.DecodeRow(encode(t, c, &want), &got))
		require.Equal(t, want, got)
	}
}

func TestCodec_AppendsAfterWhatIsThere(t *testing.T) {
	t.Parallel()
	c := compile[Job](t)
	row := encode(t, c, Job{ID: 1})
	got, err := c.AppendRow([]byte("before"), Job{ID: 1})
	require.NoError(t, err)
	require.Equal(t, append([]byte("before"), row...), got)
}

func TestCodec_RefusesOtherTypes(t *testing.T) {
	t.Parallel()
	c := compile[Job](t)
	for _, v := range []any{nil, (*Job)(nil), 1, Link{}, &Link{}, new(*Job)} {
		_, err := c.AppendRow(nil, v)
		require.Error(t, err, "%T", v)
		require.Error(t, c.DecodeRow(nil, v), "%T", v)
	}
	require.Error(t, c.DecodeRow(nil, Job{}))
}

func TestCodec_EndlessValuesAreAnError(t *testing.T) {
	t.Parallel()
	type Graph struct{ Head *Link }
	loop := &Link{}
	loop.Next = loop
	dst, err := compile[Graph](t).AppendRow([]byte("before"), Graph{loop})
	require.ErrorContains(t, err, `field "head" of kind "graph"`)
	require.Equal(t, "before", string(dst))
}

func TestCodec_EqualKeysAreAnError(t *testing.T) {
	t.Parallel()
	type F struct{ M map[float64]int }
	_, err := compile[F](t).AppendRow(nil, F{map[float64]int{math.NaN(): 1, math.Copysign(math.NaN(), -1): 2}})
	require.ErrorContains(t, err, "two keys")
}

func TestCodec_UnusableEntry(t *testing.T) {
	t.Parallel()
	type Wide struct {
		N    int
		Name string
	}
	type Narrow struct {
		N    int8
		Name string
	}
	wide := compile[Wide](t)
	narrow, err := compile[Narrow](t).Bind(wide.Schema())
	require.NoError(t, err)
	err = narrow.DecodeRow(encode(t, wide, Wide{300, "x"}), new(Narrow))
	var unusable *template.UnusableEntryError
	require.ErrorAs(t, err, &unusable)
	require.Equal(t, "wide", unusable.Kind)
	require.Equal(t, map[string]any{"n": int64(300), "name": "x"}, unusable.Fields)
	require.ErrorContains(t, err, `field "n": int 300 does not fit int8`)
}

// One is a kind of one field.
type One[T any] struct{ X T }

// Kind returns "one", whatever T is.
func (One[T]) Kind() string { return "one" }

// fits reports whether v can be decoded into a T.
func fits[T any](t *testing.T, v template.Value) bool {
	t.Helper()
	row := append(template.Row{byte(len(v))}, v...)
	return compile[One[T]](t).DecodeRow(row, new(One[T])) == nil
}

func TestCodec_WhatFitsWhat(t *testing.T) {
	t.Parallel()
	num := func(i int64) template.Value { return template.AppendInt(nil, i) }
	flt := func(f float64) template.Value { return template.AppendFloat(nil, f) }
	str, blob := template.Value(template.AppendString(nil, "x")), template.Value(template.AppendBytes(nil, []byte("xy")))

	require.True(t, fits[int8](t, num(127)) && fits[int8](t, num(-128)))
	require.False(t, fits[int8](t, num(128)) || fits[int8](t, num(-129)))
	require.True(t, fits[uint8](t, num(255)))
	require.False(t, fits[uint8](t, num(256)) || fits[uint](t, num(-1)))
	require.False(t, fits[int64](t, template.AppendUint(nil, math.MaxUint64)))
	require.True(t, fits[float64](t, num(-1<<53)) && fits[float64](t, num(math.MinInt64)))
	require.False(t, fits[float64](t, num(1<<53+1)))
	require.True(t, fits[float32](t, flt(0.1)) && fits[float32](t, flt(math.Inf(1))))
	require.False(t, fits[float32](t, flt(1e300)) || fits[int](t, flt(1)))
	require.True(t, fits[[2]byte](t, blob) && fits[[]byte](t, blob))
	require.False(t, fits[[3]byte](t, blob) || fits[string](t, blob) || fits[[]byte](t, str))
	require.False(t, fits[bool](t, num(1)) || fits[time.Time](t, num(1)) || fits[time.Duration](t, num(1)))
	require.False(t, fits[[]int](t, str) || fits[map[string]int](t, str) || fits[Inner](t, str) || fits[*int](t, str))
	require.False(t, fits[[2]int](t, template.Value{0x50, 1, 0x18}))
}

func TestCodec_MalformedRowsAreUnusable(t *testing.T) {
	t.Parallel()
	type chain struct {
		Refs  refs
		Table map[string]refs
		Link  *Link
		Fixed [1]refs
	}
	c := compile[chain](t)
	deep := func(v template.Value) template.Row { return append(length(len(v)), v...) }
	link := template.Value{0x51}
	for range 70 {
		link = append(append(template.Value{0x51, 5, 0x40, 'n', 'e', 'x', 't'}, length(len(link))...), link...)
	}
	for name, row := range map[string]template.Row{
		"cut off":   {9, 0x50},
		"deep list": deep(nest(70)),
		"deep map": append(template.Row{0},
			deep(append(append(template.Value{0x51, 1, 0x40}, length(len(nest(70)))...), nest(70)...))...),
		"deep struct": append(template.Row{0, 0}, deep(link)...),
		"deep array":  append(template.Row{0, 0, 0}, deep(nest(70))...),
	} {
		var unusable *template.UnusableEntryError
		require.ErrorAs(t, c.DecodeRow(row, new(chain)), &unusable, name)
	}
	require.ErrorIs(t, c.DecodeRow(template.Row{9, 0x50}, new(chain)), template.ErrMalformed)
}

func TestCodec_MessagesAreShort(t *testing.T) {
	t.Parallel()
	long := template.AppendString(nil, string(make([]byte, 100_000)))
	err := compile[One[int]](t).DecodeRow(append(length(len(long)), long...), new(One[int]))
	require.ErrorContains(t, err, "… does not fit int")
	require.Less(t, len(err.Error()), 200)
}

func TestCodec_DeepestLegalNesting(t *testing.T) {
	t.Parallel()
	c := compile[One[refs]](t)
	v := refs{}
	for range 63 {
		inner := v
		v = refs{&inner}
	}
	var out One[refs]
	require.NoError(t, c.DecodeRow(encode(t, c, One[refs]{v}), &out))
	require.Equal(t, v, out.X)
	_, err := c.AppendRow(nil, One[refs]{refs{&v}})
	require.ErrorContains(t, err, "nested deeper than 64 levels")
}
