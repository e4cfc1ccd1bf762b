package template_test

import (
	"bytes"
	"cmp"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/template"
)

// agree checks that the encodings of all pairs of values compare as the values do, and that each is canonical.
func agree[T any](t *testing.T, class template.Class, values []T, enc func([]byte, T) []byte,
	compare func(a, b T) int,
) {
	t.Helper()
	for _, a := range values {
		va := template.Value(enc(nil, a))
		require.NoError(t, va.Check(class), "%v", a)
		for _, b := range values {
			require.Equal(t, compare(a, b), bytes.Compare(va, enc(nil, b)), "%v, %v", a, b)
		}
	}
}

const pairsOf = 300 // number of values, each compared with every other

func TestOrder_Ints(t *testing.T) {
	t.Parallel()
	values := []int64{0, 1, -1, 255, 256, -255, -256, -257, math.MaxInt64, math.MinInt64, math.MinInt64 + 1}
	r := rand.New(rand.NewPCG(1, 1))
	for len(values) < pairsOf {
		values = append(values, int64(r.Uint64())>>r.IntN(64))
	}
	agree(t, template.Int, values, template.AppendInt, cmp.Compare[int64])
}

func TestOrder_Uints(t *testing.T) {
	t.Parallel()
	values := []uint64{0, 1, 255, 256, math.MaxInt64, math.MaxInt64 + 1, math.MaxUint64}
	r := rand.New(rand.NewPCG(2, 1))
	for len(values) < pairsOf {
		values = append(values, r.Uint64()>>r.IntN(64))
	}
	agree(t, template.Uint, values, template.AppendUint, cmp.Compare[uint64])
}

func TestOrder_UintsAndInts(t *testing.T) {
	t.Parallel()
	for _, i := range []int64{0, 1, 127, 128, 1 << 40, math.MaxInt64} {
		require.Equal(t, template.AppendInt(nil, i), template.AppendUint(nil, uint64(i)))
	}
	for _, i := range []int64{-1, math.MinInt64} {
		require.Negative(t, bytes.Compare(template.AppendInt(nil, i), template.AppendUint(nil, 0)))
	}
	require.Negative(t, bytes.Compare(template.AppendInt(nil, math.MaxInt64), template.AppendUint(nil, math.MaxUint64)))
}

func TestOrder_Floats(t *testing.T) {
	t.Parallel()
	values := []float64{
		0, math.Copysign(0, -1), 1, -1, math.Inf(1), math.Inf(-1), math.NaN(), math.Float64frombits(0xFFF8000000000001),
		math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64, -math.SmallestNonzeroFloat64,
	}
	r := rand.New(rand.NewPCG(3, 1))
	for len(values) < pairsOf {
		values = append(values, math.Float64frombits(r.Uint64()))
	}
	// cmp.Compare also orders NaN below all numbers
	agree(t, template.Float, values, template.AppendFloat, cmp.Compare[float64])
}

func TestOrder_Strings(t *testing.T) {
	t.Parallel()
	values := []string{"", "\x00", "a", "a\x00", "aa", "b", "\xff", "\xff\xff", "é"}
	agree(t, template.String, values, template.AppendString, cmp.Compare[string])
	agree(t, template.Bytes, values, func(dst []byte, s string) []byte { return template.AppendBytes(dst, []byte(s)) },
		cmp.Compare[string])
}

func TestOrder_Times(t *testing.T) {
	t.Parallel()
	values := []time.Time{
		{},
		time.Unix(0, 0), time.Unix(-1, 999_999_999), time.Unix(0, 1),
		time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC),
	}
	r := rand.New(rand.NewPCG(4, 1))
	for len(values) < pairsOf {
		values = append(values, time.Unix(r.Int64N(1e11)-5e10, r.Int64N(1e9)))
	}
	agree(t, template.Time, values, template.AppendTime, time.Time.Compare)
}

func TestOrder_BoolsAndDurations(t *testing.T) {
	t.Parallel()
	agree(t, template.Duration, []time.Duration{0, 1, -1, time.Hour, -time.Hour, math.MaxInt64, math.MinInt64},
		template.AppendDuration, cmp.Compare[time.Duration])
	require.Negative(t, bytes.Compare(template.AppendBool(nil, false), template.AppendBool(nil, true)))
}

func TestValue_AnyGivesBackWhatWasEncoded(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("east", 3600))
	for _, c := range []struct {
		v    template.Value
		want any
	}{
		{nil, nil},
		{template.AppendBool(nil, true), true},
		{template.AppendBool(nil, false), false},
		{template.AppendInt(nil, -300), int64(-300)},
		{template.AppendInt(nil, math.MinInt64), int64(math.MinInt64)},
		{template.AppendUint(nil, 300), int64(300)},
		{template.AppendUint(nil, math.MaxUint64), uint64(math.MaxUint64)},
		{template.AppendFloat(nil, math.Copysign(0, -1)), 0.0},
		{template.AppendFloat(nil, math.Inf(-1)), math.Inf(-1)},
		{template.AppendString(nil, "é\x00"), "é\x00"},
		{template.AppendBytes(nil, []byte{}), []byte{}},
		{template.AppendTime(nil, at), at.UTC()},
		{template.AppendTime(nil, time.Time{}), time.Time{}},
		{template.AppendDuration(nil, -time.Second), -time.Second},
		{template.Value{0x01}, nil},
		{template.Value{0x20, 1}, nil},
	} {
		require.Equal(t, c.want, c.v.Any(), "%x", []byte(c.v))
	}
}

func TestValue_AccessorsRefuseOtherClasses(t *testing.T) {
	t.Parallel()
	values := []template.Value{
		template.AppendBool(nil, true), template.AppendInt(nil, -1), template.AppendUint(nil, math.MaxUint64),
		template.AppendFloat(nil, 1), template.AppendString(nil, "1"), template.AppendBytes(nil, []byte("1")),
		template.AppendTime(nil, time.Unix(1, 0)), template.AppendDuration(nil, 1),
		{0x50},
		{0x51},
		{},
		nil,
	}
	accepted := make([]string, len(values))
	for i, v := range values {
		for name, ok := range map[string]func() bool{
			"b": func() bool { _, ok := v.Bool(); return ok }, "i": func() bool { _, ok := v.Int(); return ok },
			"u": func() bool { _, ok := v.Uint(); return ok }, "f": func() bool { _, ok := v.Float(); return ok },
			"s": func() bool { _, ok := v.Text(); return ok }, "x": func() bool { _, ok := v.Blob(); return ok },
			"t": func() bool { _, ok := v.Time(); return ok }, "d": func() bool { _, ok := v.Duration(); return ok },
		} {
			if ok() {
				accepted[i] += name
			}
		}
	}
	require.Equal(t, []string{"b", "i", "u", "f", "s", "x", "t", "d", "", "", "", ""}, accepted)
}
