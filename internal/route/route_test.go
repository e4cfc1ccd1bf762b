package route_test

import (
	"reflect"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/route"
	"github.com/gospaces/gospaces/template"
)

// Entries are where these numbers say, in logs and backups of all times: they never change.
func TestPartition_IsStableForEver(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		value string
		of3   int
		of12  int
		of256 int
	}{
		{"", 2, 11, 239},
		{"a", 1, 6, 130},
		{"b", 1, 5, 110},
		{"customer-1", 2, 8, 173},
		{"customer-2", 1, 4, 91},
		{"\x00", 2, 8, 185},
		{"\x80\x00\x00\x00\x00\x00\x00\x07", 2, 10, 226},
		{"The quick brown fox jumps over the lazy dog", 1, 6, 132},
	} {
		got := [3]int{}
		for i, n := range [3]int{3, 12, 256} {
			got[i] = route.Partition(template.Value(c.value), n)
		}
		require.Equal(t, [3]int{c.of3, c.of12, c.of256}, got, "%q", c.value)
		require.Zero(t, route.Partition(template.Value(c.value), 1))
	}
}

// Small numbers and short texts, as keys are, spread evenly.
func TestPartition_SpreadsKeys(t *testing.T) {
	t.Parallel()
	const keys, n = 12_000, 12
	codec, err := template.Compile(reflect.TypeFor[keyed]())
	require.NoError(t, err)
	for name, value := range map[string]func(i int) template.Value{
		"texts":   func(i int) template.Value { return template.Value("customer-" + strconv.Itoa(i)) },
		"numbers": func(i int) template.Value { return rowOf(t, codec, keyed{Customer: i}).Field(0) },
	} {
		counts := [n]int{}
		for i := range keys {
			counts[route.Partition(value(i), n)]++
		}
		for p, count := range counts {
			require.InDelta(t, keys/n, count, keys/n/5, "%s: partition %d", name, p)
		}
	}
}

type keyed struct {
	Customer int `space:"customer,route"`
	Other    string
}

func rowOf(t *testing.T, c *template.Codec, v keyed) template.Row {
	row, err := c.AppendRow(nil, &v)
	require.NoError(t, err)
	return row
}

func TestTargets_AreWhereMatchesAre(t *testing.T) {
	t.Parallel()
	const n = 12
	codec, err := template.Compile(reflect.TypeFor[keyed]())
	require.NoError(t, err)
	s := codec.Schema()
	value := func(i int) template.Value { return rowOf(t, codec, keyed{Customer: i}).Field(0) }
	for i := range 100 {
		at, fixed := route.Of(s, rowOf(t, codec, keyed{Customer: i, Other: "x"}), n)
		require.True(t, fixed)
		require.Equal(t, []int{at}, route.Targets(s, nil, []template.Cond{{Field: 0, Op: template.Eq, Value: value(i)}}, n))
	}
	in := []template.Cond{{Field: 0, Op: template.In, Values: []template.Value{value(1), value(2), value(1)}}}
	require.Subset(t, route.Targets(s, nil, in, n),
		[]int{route.Partition(value(1), n), route.Partition(value(2), n)})
	require.LessOrEqual(t, len(route.Targets(s, nil, in, n)), 2)

	require.Nil(t, route.Targets(s, nil, nil, n))
	require.Nil(t, route.Targets(s, nil, []template.Cond{{Field: 0, Op: template.Gt, Value: value(1)}}, n))
	require.Nil(t, route.Targets(s, nil, []template.Cond{{Field: 1, Op: template.Eq, Value: value(1)}}, n))

	// The schema of the space says what the route field is, not that of the template.
	own := []template.Field{{Name: "other"}, {Name: "customer"}}
	require.Equal(t, []int{route.Partition(value(7), n)},
		route.Targets(s, own, []template.Cond{{Field: 1, Op: template.Eq, Value: value(7)}}, n))

	plain := &template.Schema{Fields: []template.Field{{Name: "customer"}}}
	_, fixed := route.Of(plain, rowOf(t, codec, keyed{}), n)
	require.False(t, fixed)
	_, fixed = route.Of(s, template.Row{}, n) // null
	require.False(t, fixed)
}
