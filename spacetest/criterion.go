package spacetest

import (
	"bytes"
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
)

func criterionCases() cases {
	return cases{
		{"comparisons of integers", criterionIntegers},                               // semantics 1.5
		{"comparisons of strings", criterionStrings},                                 // semantics 1.5
		{"comparisons of floats", criterionFloats},                                   // semantics 1.5
		{"comparisons of times, durations, bools and byte strings", criterionOthers}, // semantics 1.5
		{"comparisons across the bounds of widths", criterionWidths},                 // semantics 1.4
		{"a zero value can be asked for", criterionZero},                             // semantics 1.5
		{"null is less than nothing and not unequal to anything", criterionNull},     // semantics 1.5
		{"prefixes of strings and byte strings", criterionPrefix},                    // semantics 1.5
		{"membership in a set", criterionIn},                                         // semantics 1.5
		{"equality of lists and maps", criterionComposite},
		{"several conditions must all hold", criterionAnd}, // semantics 1.5
		{"conditions that contradict each other match nothing", criterionNever},
		{"conditions and the template's fields must all hold", criterionWithTemplate},
		{"waiting calls honour conditions", criterionWaiting},
		{"a field that the kind does not have is null", criterionNoField},
		{"an operand of another class is refused", criterionBadOperand}, // semantics 1.4
		{"a comparison that the class does not have is refused", criterionBadOp},
	}
}

// comparison is a criterion and what it means.
type comparison[T any] struct {
	name  string
	of    func(v any) space.Criterion
	holds func(c int) bool // c compares the field with the operand
}

func comparisons[T any]() []comparison[T] {
	return []comparison[T]{
		{"Eq", space.Eq, func(c int) bool { return c == 0 }},
		{"Ne", space.Ne, func(c int) bool { return c != 0 }},
		{"Lt", space.Lt, func(c int) bool { return c < 0 }},
		{"Le", space.Le, func(c int) bool { return c <= 0 }},
		{"Gt", space.Gt, func(c int) bool { return c > 0 }},
		{"Ge", space.Ge, func(c int) bool { return c >= 0 }},
	}
}

// compareAll writes an entry per value and tries every comparison with every value on field, and Between with every
// pair.
func compareAll[E, V any](k *kit, field string, values []V, entry func(V) E, compare func(a, b V) int) {
	k.Helper()
	for _, v := range values {
		write(k, entry(v))
	}
	var zero E
	for _, operand := range values {
		for _, c := range comparisons[V]() {
			want := 0
			for _, v := range values {
				if c.holds(compare(v, operand)) {
					want++
				}
			}
			require.Equal(k, want, count(k, zero, space.Where(field, c.of(operand))), "%s %v", c.name, operand)
		}
		for _, hi := range values {
			want := 0
			for _, v := range values {
				if compare(v, operand) >= 0 && compare(v, hi) <= 0 {
					want++
				}
			}
			require.Equal(k, want, count(k, zero, space.Where(field, space.Between(operand, hi))), "%v to %v", operand, hi)
		}
	}
}

func criterionIntegers(k *kit) {
	values := []int{0, 1, -1, 2, 127, 128, -128, -129, 255, 256, 65536, 1 << 40, -1 << 40, 1<<63 - 1, -1 << 63}
	compareAll(k, "id", values, func(v int) simple { return simple{ID: v} }, cmp.Compare)
}

func criterionStrings(k *kit) {
	values := []string{"", "a", "A", "aa", "b", "a\x00", "ä", "\xff", "Z", strings.Repeat("a", 300)}
	compareAll(k, "name", values, func(v string) simple { return simple{Name: v} }, cmp.Compare)
}

func criterionFloats(k *kit) {
	values := []float64{0, 1, -1, 0.1, -0.1, 1e300, -1e300, 1e-300, 2, 1.5}
	compareAll(k, "f", values, func(v float64) real { return real{v} }, cmp.Compare)
}

func criterionOthers(k *kit) {
	at := time.Unix(0, 0).UTC()
	times := []time.Time{at, at.Add(1), at.Add(-1), at.Add(time.Hour), at.AddDate(-3000, 0, 0), at.AddDate(3000, 0, 0)}
	compareAll(k, "at", times, func(v time.Time) moment { return moment{v} }, time.Time.Compare)

	durations := []time.Duration{0, 1, -1, time.Hour, -time.Hour, 1<<63 - 1, -1 << 63}
	compareAll(k, "duration", durations, func(v time.Duration) every { return every{Duration: v} }, cmp.Compare)

	truth := map[bool]int{true: 1}
	compareAll(k, "flag", []bool{true, false}, func(v bool) flat { return flat{Flag: v, Blob: []byte{}} },
		func(a, b bool) int { return truth[a] - truth[b] })

	drain(k, flat{})
	blobs := [][]byte{{}, {'a'}, {0}, {0xff, 0xff}, {'a', 0}}
	compareAll(k, "blob", blobs, func(v []byte) flat { return flat{Blob: v} }, bytes.Compare)
}

func criterionWidths(k *kit) {
	write(k, simple{ID: 5})
	for _, c := range []space.Criterion{
		space.Lt(uint64(1<<64 - 1)), space.Gt(int8(-128)), space.Eq(uint8(5)), space.Ne(uint64(1 << 63)),
		space.Between(int8(-1), uint64(1<<63)),
	} {
		require.Equal(k, 1, count(k, simple{}, space.Where("id", c)))
	}
	write(k, every{Uint64: 1<<64 - 1})
	require.Equal(k, 1, count(k, every{}, space.Where("uint64", space.Gt(1<<63-1))))
	require.Zero(k, count(k, every{}, space.Where("uint64", space.Lt(0))))
}

func criterionZero(k *kit) {
	writeAll(k, simple{"A", 0}, simple{"A", 1}, simple{"", 1})
	require.Equal(k, simple{"A", 0}, read(k, simple{}, space.Where("id", space.Eq(0))))
	require.Equal(k, simple{"", 1}, read(k, simple{}, space.Where("name", space.Eq(""))))
	absent(k, simple{}, space.Where("name", space.Eq("")), space.Where("id", space.Eq(0)))
	write(k, flat{Flag: false})
	require.Equal(k, 1, count(k, flat{}, space.Where("flag", space.Eq(false))))
	absent(k, flat{}, space.Where("flag", space.Eq(true)))
}

func criterionNull(k *kit) {
	name, one := "A", 1
	writeAll(k, optional{Name: &name, ID: &one}, optional{Name: &name}, optional{ID: &one}, optional{})
	for _, c := range comparisons[int]() {
		want := map[string]int{"Eq": 2, "Le": 2, "Ge": 2}[c.name]
		require.Equal(k, want, count(k, optional{}, space.Where("id", c.of(1))), c.name)
		require.Equal(k, map[string]int{"Ne": 2, "Lt": 2, "Le": 2}[c.name], count(k, optional{}, space.Where("id", c.of(2))),
			c.name)
	}
	require.Equal(k, 2, count(k, optional{}, space.Where("id", space.IsNull())))
	require.Equal(k, 2, count(k, optional{}, space.Where("id", space.NotNull())))
	require.Equal(k, 1, count(k, optional{}, space.Where("id", space.IsNull()), space.Where("name", space.IsNull())))
	require.Equal(k, 1, count(k, optional{Name: &name}, space.Where("id", space.IsNull())))
	require.Equal(k, 2, count(k, optional{}, space.Where("id", space.OneOf(1, 2))))
	require.Equal(k, 2, count(k, optional{}, space.Where("name", space.HasPrefix(""))))
	require.Equal(k, optional{},
		take(k, optional{}, space.Where("id", space.IsNull()), space.Where("name", space.IsNull())))
}

func criterionPrefix(k *kit) {
	words := []string{"", "a", "ab", "abc", "b", "ab\xff", "\xff\xff", "AB"}
	for _, w := range words {
		write(k, flat{Text: w, Blob: []byte(w)})
	}
	for _, prefix := range append(words, "abcd", "\xff") {
		want := 0
		for _, w := range words {
			if strings.HasPrefix(w, prefix) {
				want++
			}
		}
		require.Equal(k, want, count(k, flat{}, space.Where("text", space.HasPrefix(prefix))), "%q", prefix)
		require.Equal(k, want, count(k, flat{}, space.Where("blob", space.HasPrefix(prefix))), "%q", prefix)
	}
}

func criterionIn(k *kit) {
	k.needOnePartition()
	for i := range 10 {
		write(k, simple{fmt.Sprint(i), i})
	}
	require.Equal(k, 3, count(k, simple{}, space.Where("id", space.OneOf(0, 5, 9))))
	require.Equal(k, 1, count(k, simple{}, space.Where("id", space.OneOf(7, 7, 11))))
	require.Equal(k, 2, count(k, simple{}, space.Where("name", space.OneOf("3", "x", "4"))))
	absent(k, simple{}, space.Where("id", space.OneOf(10, 11)))
	require.Equal(k, []simple{{"5", 5}, {"9", 9}}, drain(k, simple{}, space.Where("id", space.OneOf(9, 5))))
	_, err := space.Count(k.ctx, k.sp, simple{}, space.Where("id", space.OneOf()))
	k.fails(space.ErrInvalidArgument, err)
}

func criterionComposite(k *kit) {
	write(k, sample())
	for field, values := range map[string][2]any{
		"strings": {[]string{"x", ""}, []string{"x"}},
		"map":     {map[string]int{"b": 2, "a": 1}, map[string]int{"a": 1}},
		"bytes":   {[]byte{0, 1, 255}, []byte{0, 1}},
		"array":   {[4]byte{1, 2, 3, 4}, [4]byte{}},
	} {
		require.Equal(k, 1, count(k, every{}, space.Where(field, space.Eq(values[0]))), field)
		require.Equal(k, 1, count(k, every{}, space.Where(field, space.Ne(values[1]))), field)
		require.Equal(k, 1, count(k, every{}, space.Where(field, space.OneOf(values[1], values[0]))), field)
		require.Zero(k, count(k, every{}, space.Where(field, space.Eq(values[1]))), field)
		require.Zero(k, count(k, every{}, space.Where(field, space.Ne(values[0]))), field)
	}
}

func criterionAnd(k *kit) {
	for i := range 20 {
		write(k, simple{fmt.Sprint(i % 2), i})
	}
	require.Equal(k, 4, count(k, simple{}, space.Where("id", space.Ge(5)), space.Where("id", space.Lt(9))))
	require.Equal(k, 2,
		count(k, simple{}, space.Where("id", space.Ge(5)), space.Where("id", space.Lt(9)),
			space.Where("name", space.Eq("0"))))
	require.Equal(k, 3, count(k, simple{}, space.Where("id", space.Between(5, 8)), space.Where("id", space.Ne(6))))
	require.Equal(k, 1, count(k, simple{}, space.Where("id", space.OneOf(1, 2, 3)), space.Where("id", space.OneOf(3, 4))))
}

func criterionNever(k *kit) {
	population(k)
	absent(k, simple{}, space.Where("id", space.Lt(1)), space.Where("id", space.Gt(1)))
	absent(k, simple{}, space.Where("id", space.Eq(1)), space.Where("id", space.Eq(2)))
	absent(k, simple{}, space.Where("id", space.Between(2, 1)))
	absent(k, simple{ID: 1}, space.Where("id", space.Ne(1)))
	require.Equal(k, 6, k.total())
}

func criterionWithTemplate(k *kit) {
	population(k)
	require.Equal(k, e3, read(k, simple{Name: "A"}, space.Where("id", space.Gt(1))))
	require.Equal(k, []simple{e3, e3},
		drain(k, simple{Name: "A"}, space.Where("id", space.Ge(2)), space.Where("name", space.HasPrefix("A"))))
	require.Equal(k, 4, k.total())
}

func criterionWaiting(k *kit) {
	taker := startFind(k, verbs[2], simple{Name: "A"}, space.Where("id", space.Between(10, 20)))
	reader := startFind(k, verbs[0], simple{}, space.Where("id", space.Gt(10)))
	k.parked(2)
	writeAll(k, simple{"A", 9}, simple{"B", 10}, simple{"A", 21}, simple{"A", 12})
	require.Equal(k, simple{"A", 12}, taker.result(k))
	require.Greater(k, reader.result(k).ID, 10)
	require.Equal(k, 3, k.total())
}

func criterionNoField(k *kit) {
	write(k, e1)
	for _, c := range []space.Criterion{
		space.Eq(1), space.Ne(1), space.HasPrefix("a"), space.OneOf("a", "b"),
		space.NotNull(),
	} {
		absent(k, simple{}, space.Where("nothing", c))
	}
	require.Equal(k, e1, read(k, simple{}, space.Where("nothing", space.IsNull()), space.OrderBy("-nothing")))
	_, err := space.Count(k.ctx, k.sp, simple{}, space.Where("nothing", space.Eq(func() {})))
	k.fails(space.ErrInvalidArgument, err)
	_, err = space.Count(k.ctx, k.sp, simple{}, space.Where("ID", space.Eq(1))) // the Go name is not the field's
	k.fails(space.ErrInvalidArgument, err)
}

func criterionBadOperand(k *kit) {
	write(k, simple{"1", 1})
	for field, operand := range map[string]any{"id": "1", "name": 1} {
		for _, c := range []space.Criterion{
			space.Eq(operand), space.Lt(operand), space.OneOf(operand), space.Eq(true),
			space.Eq(nil),
			{},
		} {
			_, err := space.Take(k.ctx, k.sp, simple{}, space.Where(field, c), space.NoWait())
			k.fails(space.ErrInvalidArgument, err)
		}
	}
	require.Equal(k, 1, k.total())
}

func criterionBadOp(k *kit) {
	write(k, sample())
	for field, c := range map[string]space.Criterion{
		"int": space.HasPrefix("1"), "strings": space.Lt([]string{"a"}), "map": space.Ge(map[string]int{}),
		"nested": space.Gt(nested{}),
	} {
		_, err := space.Take(k.ctx, k.sp, every{}, space.Where(field, c), space.NoWait())
		require.ErrorIs(k, err, space.ErrInvalidArgument, field)
	}
	require.Equal(k, 1, k.total())
}
