package template_test

import (
	"math/big"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/template"
)

func TestCompile_Classes(t *testing.T) {
	t.Parallel()
	var got []template.Class
	for _, f := range compile[Everything](t).Schema().Fields {
		got = append(got, f.Class)
	}
	require.Equal(t, []template.Class{
		template.Bool, template.Int, template.Int, template.Uint, template.Float, template.Float, template.String,
		template.Bytes, template.Bytes, template.Time, template.Duration, template.Int, template.List, template.List,
		template.Map, template.Struct, template.Struct, template.Struct, template.Map,
	}, got)
}

type (
	clock   time.Time
	ident   [16]byte
	colour  string
	refs    []*refs
	octets  []byte
	octet   uint8
	tagged  struct{ At, X int }
	private struct{ Shown, hidden int }
)

// Named has fields of named types, which are stored as their underlying types.
type Named struct {
	Clock  clock
	Ident  ident
	Colour colour
	Refs   refs
	Octets octets
	Letter []octet
}

func TestCompile_NamedTypes(t *testing.T) {
	t.Parallel()
	c := compile[Named](t)
	var got []template.Class
	for _, f := range c.Schema().Fields {
		got = append(got, f.Class)
	}
	require.Equal(t,
		[]template.Class{template.Time, template.Bytes, template.String, template.List, template.Bytes, template.Bytes}, got)

	in := Named{clock(time.Unix(1, 2).UTC()), ident{1}, "red", refs{{}, nil, {{}}}, octets{1}, []octet{2}}
	var out Named
	require.NoError(t, c.DecodeRow(encode(t, c, in), &out))
	require.Equal(t, in, out)
}

func TestCompile_Names(t *testing.T) {
	t.Parallel()
	type HTTPServerID struct {
		ID         int
		HTTPServer string
		UserID     int
		URLPath2   string
		With_Under int
		É          int
		Renamed    int `space:"other"`
		Role       int `space:",id"`
		Both       int `space:"both,id,route"`
		Skipped    int `space:"-"`
		unexported int
	}
	_ = HTTPServerID{}.unexported
	s := compile[HTTPServerID](t).Schema()
	require.Equal(t, "http_server_id", s.Kind)
	var names []string
	for _, f := range s.Fields {
		names = append(names, f.Name)
	}
	require.Equal(t, []string{"id", "http_server", "user_id", "url_path2", "with_under", "é", "other", "role", "both"},
		names)
	require.Equal(t, template.ID, s.Fields[7].Role)
	require.Equal(t, template.ID|template.Route, s.Fields[8].Role)
}

// Kinded chooses its own kind, with a method on its pointer.
type Kinded struct{ A int }

// Kind returns a name unrelated to the name of the type.
func (*Kinded) Kind() string { return "my.kind" }

// Above embeds a kind whose Kind method Go promotes, and another level below.
type Above struct {
	Middle
	B int
}

// Middle embeds Kinded.
type Middle struct {
	M int
	Kinded
}

func TestCompile_Supers(t *testing.T) {
	t.Parallel()
	c := compile[Above](t)
	field := func(name string) template.Field { return template.Field{Name: name, Class: template.Int} }
	kinded := &template.Schema{Kind: "my.kind", Fields: []template.Field{field("a")}}
	middle := &template.Schema{
		Kind: "middle", Fields: []template.Field{field("a"), field("m")},
		Supers: []string{"my.kind"},
	}
	require.Equal(t, []*template.Schema{kinded, middle}, c.Supers())
	require.Equal(t,
		&template.Schema{
			Kind: "above", Fields: []template.Field{field("a"), field("m"), field("b")},
			Supers: []string{"middle", "my.kind"},
		}, c.Schema())

	in := Above{Middle{2, Kinded{1}}, 3}
	var out Above
	row := encode(t, c, in)
	require.NoError(t, c.DecodeRow(row, &out))
	require.Equal(t, in, out)

	inner, err := compile[Kinded](t).Bind(c.Schema())
	require.NoError(t, err)
	var k Kinded
	require.NoError(t, inner.DecodeRow(row, &k))
	require.Equal(t, Kinded{1}, k)
}

func TestCompile_EmbeddedStructsOfOtherSorts(t *testing.T) {
	t.Parallel()
	type Outer struct {
		private
		tagged `space:"-"`
		Inner  `space:"inner"`
		time.Time
	}
	c := compile[Outer](t)
	require.Equal(t, &template.Schema{Kind: "outer", Fields: []template.Field{
		{Name: "shown", Class: template.Int}, {Name: "inner", Class: template.Struct}, {Name: "time", Class: template.Time},
	}, Supers: []string{"private"}}, c.Schema())
	in := Outer{private: private{Shown: 1, hidden: 0}, Inner: Inner{Name: "x"}, Time: time.Unix(1, 0).UTC()}
	var out Outer
	require.NoError(t, c.DecodeRow(encode(t, c, in), &out))
	require.Equal(t, in, out)
}

func refused[T any](t *testing.T, want string) {
	t.Helper()
	_, err := template.Compile(reflect.TypeFor[T]())
	require.ErrorContains(t, err, want)
}

func TestCompile_Refuses(t *testing.T) {
	t.Parallel()
	type (
		Chan      struct{ A chan int }
		Func      struct{ A []func() }
		Interface struct{ A map[string]any }
		Complex   struct{ A complex64 }
		Address   struct{ A uintptr }
		Pointers  struct{ A **int }
		Key       struct{ A map[Inner]int }
		PtrKey    struct{ A map[*int]int }
		Opaque    struct{ A big.Int }
		Mutex     struct{ A sync.Mutex }
		ByPointer struct{ *Inner }
		Twice     struct {
			A int
			B int `space:"a"`
		}
		Option struct {
			A int `space:"a,unique"`
		}
		Hidden struct {
			a int `space:"a"`
		}
		Routes struct {
			A int `space:",route"`
			B int `space:",route"`
		}
		Role struct {
			Inner `space:",id"`
		}
		Nested struct{ A struct{ B chan int } }
	)
	_ = Hidden{}.a
	refused[int](t, "int is not a struct type")
	refused[*Job](t, "is not a struct type")
	refused[time.Time](t, "is not a struct type")
	refused[struct{ A int }](t, "has no name")
	refused[Chan](t, "field A of template_test.Chan: chan values cannot be stored")
	refused[Func](t, "func values cannot be stored")
	refused[Interface](t, "interface values cannot be stored")
	refused[Complex](t, "complex64 values cannot be stored")
	refused[Address](t, "uintptr values cannot be stored")
	refused[Pointers](t, "a pointer to a pointer cannot be stored")
	refused[Key](t, "a map with keys of type template_test.Inner cannot be stored")
	refused[PtrKey](t, "a map with keys of type *int cannot be stored")
	refused[Opaque](t, "big.Int has no field that could be stored")
	refused[Mutex](t, "sync.Mutex has no field that could be stored")
	refused[ByPointer](t, "field Inner of template_test.ByPointer: a struct embedded by pointer cannot be stored")
	refused[Twice](t, `two fields stored as "a"`)
	refused[Option](t, `unknown option "unique" in its tag`)
	refused[Hidden](t, "an unexported field cannot be stored")
	refused[Routes](t, "at most one route field")
	refused[Role](t, "an embedded struct has no role")
	refused[Nested](t, "field A.B of template_test.Nested: chan values")
	refused[generic[int]](t, "needs a Kind method")

	_, err := template.Compile(nil)
	require.Error(t, err)
}

type generic[T any] struct{ A T }
