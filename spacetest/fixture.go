package spacetest

import (
	"time"

	"github.com/gospaces/gospaces/space"
)

// simple is the entry of most cases.
type simple struct {
	Name string
	ID   int
}

// The three entries of most cases.
var (
	e1 = simple{"A", 1}
	e2 = simple{"B", 2}
	e3 = simple{"A", 2}
)

// long is a lease or a wait that no case sees the end of: who waits for it hangs.
const long = time.Hour

// brief is a wait that cases see the end of. Its length proves nothing; only that a call did not return before it does.
const brief = 20 * time.Millisecond

// tooMuch is a size of an entry, in bytes, that no space takes.
const tooMuch = 17 << 20

// shape is one template of the matrix that most calls are tried with: every kind of hit and every kind of miss.
type shape struct {
	name     string
	template []simple // none: the template that matches every entry
	matches  []simple
}

var shapes = []shape{
	{"exact first", []simple{e1}, []simple{e1}},
	{"exact second", []simple{e2}, []simple{e2}},
	{"exact third", []simple{e3}, []simple{e3}},
	{"other name", []simple{{"Z", 1}}, nil},
	{"other id", []simple{{"A", 3}}, nil},
	{"other name and id", []simple{{"Z", 3}}, nil},
	{"any name, other id", []simple{{ID: 3}}, nil},
	{"other name, any id", []simple{{Name: "Z"}}, nil},
	{"everything", nil, []simple{e1, e2, e3}},
	{"name", []simple{{Name: "A"}}, []simple{e1, e3}},
	{"id", []simple{{ID: 2}}, []simple{e2, e3}},
	{"any of the kind", []simple{{}}, []simple{e1, e2, e3}},
}

// query returns the shape's query, which does not wait.
func (s shape) query(k *kit) space.Query {
	if s.template == nil {
		return k.match()
	}
	return k.match(s.template[0])
}

// decode returns entries as simple ones.
func decode(k *kit, entries []space.Entry) []simple {
	k.Helper()
	vs := make([]simple, len(entries))
	for i := range entries {
		k.ok(entries[i].Decode(&vs[i]))
	}
	return vs
}

// every holds one field of each class, all ordered ones first.
type every struct {
	Bool     bool
	Int      int
	Int8     int8
	Uint64   uint64
	Float32  float32
	Float64  float64
	String   string
	Bytes    []byte
	Time     time.Time
	Duration time.Duration
	Array    [4]byte
	Strings  []string
	Ints     [3]int
	Map      map[string]int
	ByNumber map[int]string
	Nested   nested
	Pointer  *int
}

type nested struct {
	City   string
	Number int
	Tags   []string
}

// sample returns a value of every with no zero field. Nothing is shared between two samples.
func sample() every {
	seven := 7
	return every{
		Bool: true, Int: -300, Int8: -8, Uint64: 1 << 63, Float32: 1.5, Float64: -2.25, String: "héllo",
		Bytes: []byte{0, 1, 255},
		Time:  time.Date(2026, 2, 3, 4, 5, 6, 789, time.UTC), Duration: -time.Minute, Array: [4]byte{1, 2, 3, 4},
		Strings: []string{"x", ""}, Ints: [3]int{3, 2, 1}, Map: map[string]int{"a": 1, "b": 2},
		ByNumber: map[int]string{-1: "minus"},
		Nested:   nested{"Oslo", 4, []string{"north"}}, Pointer: &seven,
	}
}

// optional is simple with fields that may be null.
type optional struct {
	Name *string
	ID   *int
}
