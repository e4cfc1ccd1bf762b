package spacetest

import (
	"fmt"
	"math"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
)

func matchCases() cases {
	return cases{
		{"every choice of given and wild fields matches", matchSubsets},                // semantics 1.2
		{"one field that differs is no match", matchOneDiffers},                        // semantics 1.2
		{"an entry is a template of itself", matchItself},                              // semantics 1.2
		{"a null field matches a wildcard and nothing else", matchNull},                // semantics 1.2
		{"matching knows no Equal method", matchIgnoresEqual},                          // semantics 1.4
		{"the twentieth field counts as much as the first", matchManyFields},           // semantics 1.2
		{"integers are equal whatever their width", matchIntegerWidths},                // semantics 1.4
		{"floats are equal by value", matchFloats},                                     // semantics 1.4
		{"times are equal as instants", matchTimes},                                    // semantics 1.4
		{"maps are equal regardless of the order of keys", matchMaps},                  // semantics 1.4
		{"strings are equal by content, without folding or normalising", matchStrings}, // semantics 1.4
		{"lists are equal element by element", matchLists},                             // semantics 1.4
		{"nested structs are equal field by field", matchNested},                       // semantics 1.4
		{"a template without a kind matches every kind", matchEverything},              // semantics 1.2
		{"several templates match what one of them does", matchAny},                    // semantics 1.5
		{"many values of one field are told apart", matchManyValues},
		{"entries are found that are null in another field that is asked for often", matchNullIndexed}, // semantics 1.2
	}
}

// flat has six fields of different classes.
type flat struct {
	Flag   bool
	Number int
	Ratio  float64
	Text   string
	Blob   []byte
	Moment time.Time
}

var flatSample = flat{true, -7, 0.5, "text", []byte("blob"), time.Unix(1e9, 5).UTC()}

// pick returns flatSample with only the fields whose bit is set.
func pick(bits int) flat {
	var v flat
	set := []func(){
		func() { v.Flag = flatSample.Flag }, func() { v.Number = flatSample.Number }, func() { v.Ratio = flatSample.Ratio },
		func() { v.Text = flatSample.Text }, func() { v.Blob = flatSample.Blob }, func() { v.Moment = flatSample.Moment },
	}
	for i, f := range set {
		if bits&(1<<i) != 0 {
			f()
		}
	}
	return v
}

func matchSubsets(k *kit) {
	for bits := range 1 << 6 {
		write(k, flatSample)
		require.Equal(k, flatSample, read(k, pick(bits)), "fields %06b", bits)
		require.Equal(k, flatSample, take(k, pick(bits)), "fields %06b", bits)
	}
	absent(k, flat{})
}

func matchOneDiffers(k *kit) {
	write(k, sample())
	other := 8
	for name, change := range map[string]func(*every){
		"int": func(v *every) { v.Int-- }, "int8": func(v *every) { v.Int8++ }, "uint64": func(v *every) { v.Uint64++ },
		"float32": func(v *every) { v.Float32 += 0.5 },
		"float64": func(v *every) { v.Float64 = math.Nextafter(v.Float64, 0) },
		"string":  func(v *every) { v.String += "!" }, "case": func(v *every) { v.String = "Héllo" },
		"bytes": func(v *every) { v.Bytes = append(v.Bytes, 0) }, "time": func(v *every) { v.Time = v.Time.Add(1) },
		"duration": func(v *every) { v.Duration++ }, "array": func(v *every) { v.Array[3]++ },
		"list": func(v *every) { v.Strings = v.Strings[:1] }, "map value": func(v *every) { v.Map["a"]++ },
		"map key": func(v *every) { v.Map["c"] = 0 }, "nested": func(v *every) { v.Nested.Number++ },
		"pointer": func(v *every) { v.Pointer = &other },
	} {
		v := sample()
		change(&v)
		for _, verb := range verbs {
			_, err := find[every](verb)(k.ctx, k.sp, v, space.NoWait())
			require.ErrorIs(k, err, space.ErrNoMatch, name)
		}
	}
	require.Equal(k, sample(), take(k, sample()))
}

func matchItself(k *kit) {
	for _, v := range []simple{e1, e2, e3, {Name: "A"}, {ID: 2}, {}} {
		write(k, v)
		require.Equal(k, v, take(k, v))
	}
}

func matchNull(k *kit) {
	name, empty, one := "A", "", 1
	write(k, optional{ID: &one})
	absent(k, optional{Name: &name})
	absent(k, optional{Name: &empty})
	require.Equal(k, optional{ID: &one}, read(k, optional{}))
	require.Equal(k, optional{ID: &one}, take(k, optional{ID: &one}))

	write(k, optional{Name: &empty}) // empty is not null
	absent(k, optional{Name: &name})
	require.Equal(k, optional{Name: &empty}, read(k, optional{Name: &empty}))
	require.Equal(k, optional{Name: &empty}, take(k, optional{}))
}

// folded thinks that letters of either case are equal. The space does not ask.
type folded struct{ Word string }

func (folded) Equal(folded) bool { return true }

func matchIgnoresEqual(k *kit) {
	write(k, folded{"word"})
	absent(k, folded{"WORD"})
	require.Equal(k, folded{"word"}, take(k, folded{"word"}))
}

// many has more fields than any fixed prefilter might look at.
type many struct {
	F01, F02, F03, F04, F05, F06, F07, F08, F09, F10 int
	F11, F12, F13, F14, F15, F16, F17, F18, F19, F20 int
}

func matchManyFields(k *kit) {
	full := many{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20}
	write(k, full)
	require.Equal(k, full, read(k, full))
	require.Equal(k, full, read(k, many{F20: 20}))
	require.Equal(k, full, read(k, many{F17: 17, F18: 18}))
	absent(k, many{F20: 21})
	absent(k, many{F17: 17, F18: 19})
	almost := full
	almost.F20 = 1
	absent(k, almost)
	for i := 1; i <= 20; i++ {
		field := fmt.Sprintf("f%02d", i)
		require.Equal(k, 1, count(k, many{}, space.Where(field, space.Eq(i))), field)
		require.Zero(k, count(k, many{}, space.Where(field, space.Ne(i))), field)
	}
}

// The same kind with integers of several widths.
type int8s struct{ N int8 }

type int64s struct{ N int64 }

type uint16s struct{ N uint16 }

func (int8s) Kind() string   { return "integers" }
func (int64s) Kind() string  { return "integers" }
func (uint16s) Kind() string { return "integers" }

func matchIntegerWidths(k *kit) {
	write(k, int8s{100})
	require.Equal(k, int64s{100}, read(k, int64s{100}))
	require.Equal(k, uint16s{100}, read(k, uint16s{100}))
	absent(k, uint16s{101})
	write(k, int64s{-1})
	require.Equal(k, int8s{-1}, take(k, int8s{-1}))
	require.Equal(k, 1, count(k, int8s{}, space.Where("n", space.Eq(uint64(100)))))
	require.Equal(k, int8s{100}, take(k, int8s{}))
}

type real struct{ F float64 }

type real32 struct{ F float32 }

func (real32) Kind() string { return "real" }

func matchFloats(k *kit) {
	negative := math.Copysign(0, -1)
	write(k, real{negative})
	require.Equal(k, 1, count(k, real{}, space.Where("f", space.Eq(0.0))))
	require.Equal(k, 1, count(k, real{}, space.Where("f", space.Eq(negative))))
	take(k, real{})

	write(k, real{math.NaN()})
	require.True(k, math.IsNaN(read(k, real{math.NaN()}).F))
	require.True(k, math.IsNaN(take(k, real{-math.NaN()}).F))

	for _, f := range []float64{math.Inf(1), math.Inf(-1), math.MaxFloat64, math.SmallestNonzeroFloat64, 0.1} {
		write(k, real{f})
		require.Equal(k, real{f}, take(k, real{f}))
	}
	write(k, real32{0.1})
	absent(k, real{0.1})
	require.Equal(k, real{float64(float32(0.1))}, read(k, real{float64(float32(0.1))}))
	require.Equal(k, real32{0.1}, take(k, real32{0.1}))
}

type moment struct{ At time.Time }

func matchTimes(k *kit) {
	utc := time.Date(2026, 7, 1, 12, 0, 0, 123, time.UTC)
	elsewhere := utc.In(time.FixedZone("east", 5*3600))
	write(k, moment{elsewhere})
	got := read(k, moment{utc})
	require.True(k, got.At.Equal(utc))
	absent(k, moment{utc.Add(time.Nanosecond)})
	take(k, moment{elsewhere})

	now := time.Now() // its monotonic reading is no part of it
	write(k, moment{now})
	take(k, moment{now.Round(0)})
}

type table struct{ Rows map[string]int }

func matchMaps(k *kit) {
	a, b := map[string]int{}, map[string]int{}
	for i := range 50 {
		a[fmt.Sprint(i)], b[fmt.Sprint(49-i)] = i, 49-i
	}
	write(k, table{a})
	require.Equal(k, table{b}, read(k, table{b}))
	delete(b, "7")
	absent(k, table{b})
	b["8"] = 7
	absent(k, table{b})
}

func matchStrings(k *kit) {
	words := []string{"word", "Word", "word ", "wörd", "wo\u0308rd", "word\x00", "\xff", "word\x00\x01"}
	for i, w := range words {
		write(k, simple{w, i + 1})
	}
	for i, w := range words {
		require.Equal(k, 1, count(k, simple{Name: w}), "%q", w)
		require.Equal(k, simple{w, i + 1}, take(k, simple{Name: w}))
	}
}

type list struct{ Words []string }

func matchLists(k *kit) {
	lists := []list{
		{[]string{"a", "b"}},
		{[]string{"b", "a"}},
		{[]string{"ab"}},
		{[]string{"a", "b", ""}},
		{[]string{"", "a", "b"}},
		{[]string{}},
	}
	writeAll(k, lists...)
	for _, l := range lists {
		require.Equal(k, 1, count(k, list{}, space.Where("words", space.Eq(l.Words))), "%q", l.Words)
	}
}

type address struct{ Home nested }

func matchNested(k *kit) {
	home := nested{"Oslo", 4, []string{"north"}}
	write(k, address{home})
	require.Equal(k, address{home}, read(k, address{home}))
	absent(k, address{nested{City: "Oslo"}}) // no wildcards within a value
	absent(k, address{nested{"Oslo", 4, []string{"south"}}})
}

func matchEverything(k *kit) {
	k.needOnePartition()
	write(k, e1)
	write(k, sample())
	write(k, optional{})
	require.Equal(k, 3, k.total())
	q := k.match(nil)
	q.Max, q.NoWait = 10, true
	entries, err := k.sp.Take(k.ctx, q)
	k.ok(err)
	require.Len(k, entries, 3)
	require.Equal(k, e1, decode(k, entries[:1])[0])
	v, err := space.Decode[every](entries[1])
	k.ok(err)
	require.Equal(k, sample(), v)
	require.Zero(k, k.total())
}

func matchAny(k *kit) {
	k.needOnePartition()
	population(k)
	write(k, folded{"word"})
	require.Equal(k, []simple{e1, e2}, readUpTo(k, 2, e1, space.Or(e2)))
	require.Equal(k, 4, count(k, e1, space.Or(e2)))
	require.Equal(k, 4, count(k, simple{ID: 2}, space.Or(e2))) // what both match counts once
	require.Equal(k, 3, count(k, e1, space.Or(folded{})))
	require.Equal(k, 4, count(k, simple{Name: "Z"}, space.Or(simple{}), space.Where("id", space.Eq(2))))
	require.Equal(k, 2, count(k, simple{}, space.Where("id", space.Eq(1)), space.Or(simple{Name: "Z"})))

	q := k.match(folded{}, e3)
	q.Max = 10
	entries, err := k.sp.Read(k.ctx, q)
	k.ok(err)
	require.Len(k, entries, 3)
	require.Equal(k, "folded", entries[2].Kind())
}

// readUpTo reads up to max matches.
func readUpTo[T any](k *kit, max int, template T, opts ...space.TakeOption) []T {
	k.Helper()
	vs, err := space.ReadAll(k.ctx, k.sp, template, max, append(as[space.ReadAllOption](opts), space.NoWait())...)
	k.ok(err)
	return vs
}

func matchManyValues(k *kit) {
	const n = 1000
	for i := range n {
		write(k, simple{fmt.Sprint("name ", i%10), i + 1})
	}
	for i := 0; i < n; i += 7 { // often enough for an index to be worth it
		require.Equal(k, simple{fmt.Sprint("name ", i%10), i + 1}, read(k, simple{ID: i + 1}))
		absent(k, simple{fmt.Sprint("name ", i%10+1), i + 1})
	}
	for i := range 10 {
		require.Equal(k, n/10, count(k, simple{Name: fmt.Sprint("name ", i)}))
	}
	for i := n; i > 0; i -= 3 {
		require.Equal(k, i, take(k, simple{ID: i}).ID)
		absent(k, simple{ID: i})
	}
}

// matchNullIndexed asks so often for either of two fields that both have an index, and each entry is null in one of
// them.
func matchNullIndexed(k *kit) {
	const n = 600
	names, ids := make([]string, n), make([]int, n)
	var vs []optional
	for i := range n {
		names[i], ids[i] = fmt.Sprint(i), i
		vs = append(vs, optional{Name: &names[i]})
	}
	writeAll(k, vs...)
	for range 4 {
		_, err := space.Take(k.ctx, k.sp, optional{ID: &ids[0]}, space.NoWait())
		k.fails(space.ErrNoMatch, err)
		require.Equal(k, vs[n-1], read(k, vs[n-1]))
	}
	for i := range n {
		require.Equal(k, vs[i], take(k, vs[i]))
		write(k, optional{ID: &ids[i]})
	}
	for i := range n {
		require.Equal(k, optional{ID: &ids[i]}, take(k, optional{ID: &ids[i]}))
	}
}
