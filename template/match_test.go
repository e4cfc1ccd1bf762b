package template_test

import (
	"cmp"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/template"
)

// Record is matched against random templates; pointers may be null.
type Record struct {
	Flag   *bool
	Int    *int16
	Uint   *uint64
	Float  *float64
	Text   *string
	Blob   *[]byte
	At     *time.Time
	Wait   *time.Duration
	List   []int
	Map    map[string]int
	Nested *Pointless
}

// Pointless has no pointers, so Go's deep equality is equality of values.
type Pointless struct {
	A int
	B string
}

// oracle reports whether a Go value satisfies a condition, without any encoding.
func oracle(field reflect.Value, op template.Op, operands []any) bool {
	if field.IsNil() {
		return op == template.IsNull
	}
	v := field.Interface()
	if field.Kind() == reflect.Pointer {
		v = field.Elem().Interface()
	}
	switch op {
	case template.IsNull:
		return false
	case template.NotNull:
		return true
	case template.Eq:
		return same(v, operands[0])
	case template.Ne:
		return !same(v, operands[0])
	case template.Lt:
		return compare(v, operands[0]) < 0
	case template.Le:
		return compare(v, operands[0]) <= 0
	case template.Gt:
		return compare(v, operands[0]) > 0
	case template.Ge:
		return compare(v, operands[0]) >= 0
	case template.Prefix:
		return strings.HasPrefix(text(v), text(operands[0]))
	}
	for _, o := range operands {
		if same(v, o) {
			return true
		}
	}
	return false
}

func text(v any) string {
	if b, ok := v.([]byte); ok {
		return string(b)
	}
	return v.(string)
}

func same(a, b any) bool {
	switch reflect.TypeOf(a) {
	case reflect.TypeFor[[]int](), reflect.TypeFor[map[string]int](), reflect.TypeFor[Pointless]():
		return reflect.DeepEqual(a, b)
	}
	return compare(a, b) == 0
}

func compare(a, b any) int {
	switch a := a.(type) {
	case bool:
		rank := map[bool]int{false: 0, true: 1}
		return rank[a] - rank[b.(bool)]
	case int16:
		return cmp.Compare(a, b.(int16))
	case uint64:
		return cmp.Compare(a, b.(uint64))
	case float64:
		return cmp.Compare(a, b.(float64))
	case time.Time:
		return a.Compare(b.(time.Time))
	case time.Duration:
		return cmp.Compare(a, b.(time.Duration))
	}
	return strings.Compare(text(a), text(b))
}

// dice makes random records from few values, so that many are equal.
type dice struct{ *rand.Rand }

func pick[T any](d dice, values ...T) T { return values[d.IntN(len(values))] }

func (d dice) record() Record {
	var r Record
	fields := reflect.ValueOf(&r).Elem()
	for i := range fields.NumField() {
		if d.IntN(5) == 0 {
			continue
		}
		v := reflect.ValueOf(d.value(i))
		if f := fields.Field(i); f.Kind() == reflect.Pointer {
			f.Set(reflect.New(v.Type()))
			f.Elem().Set(v)
		} else {
			f.Set(v)
		}
	}
	return r
}

// value returns a value for field i of a Record.
func (d dice) value(i int) any {
	at := time.Unix(1000, 0)
	switch i {
	case 0:
		return pick(d, true, false)
	case 1:
		return pick[int16](d, 0, 1, -1, 255, 256, -256, 32767, -32768)
	case 2:
		return pick[uint64](d, 0, 1, 255, 256, math.MaxInt64, math.MaxUint64)
	case 3:
		return pick(d, 0, math.Copysign(0, -1), 1.5, -1.5, math.Inf(1), math.Inf(-1), math.NaN(), 1e-300)
	case 4:
		return pick(d, "", "a", "ab", "abc", "b", "a\x00", "é")
	case 5:
		return pick(d, []byte{}, []byte{0}, []byte{0, 0}, []byte{1}, []byte{255})
	case 6:
		return pick(d, time.Time{}, at, at.UTC(), at.In(time.FixedZone("x", 3600)), at.Add(1), at.Add(-1))
	case 7:
		return pick(d, 0, time.Second, -time.Second, time.Hour)
	case 8:
		return pick(d, []int{}, []int{1}, []int{1, 2}, []int{2, 1})
	case 9:
		return pick(d, map[string]int{}, map[string]int{"a": 1}, map[string]int{"a": 1, "b": 2},
			map[string]int{"b": 2, "a": 1})
	}
	return pick(d, Pointless{}, Pointless{A: 1}, Pointless{B: "x"})
}

// op returns an operation that is legal for the field.
func (d dice) op(s *template.Schema, field int) template.Op {
	for {
		op := template.Op(1 + d.IntN(int(template.NotNull)))
		class := s.Fields[field].Class
		switch {
		case op == template.Prefix && class != template.String && class != template.Bytes:
		case op >= template.Lt && op <= template.Ge && !class.Ordered():
		default:
			return op
		}
	}
}

func TestMatch_AgreesWithOracle(t *testing.T) {
	t.Parallel()
	c := compile[Record](t)
	d := dice{rand.New(rand.NewPCG(5, 1))}
	matches := 0
	for range 8_000 {
		r := d.record()
		var tmpl template.Template
		want := true
		for range d.IntN(3) + 1 {
			field := d.IntN(len(c.Schema().Fields))
			cond := template.Cond{Field: field, Op: d.op(c.Schema(), field)}
			var operands []any
			for range d.IntN(4) + 1 {
				operands = append(operands, d.value(field))
			}
			switch cond.Op {
			case template.IsNull, template.NotNull:
			case template.In:
				for _, o := range operands {
					cond.Values = append(cond.Values, operand(t, c.Schema(), field, o))
				}
			default:
				cond.Value = operand(t, c.Schema(), field, operands[0])
			}
			tmpl.Conds = append(tmpl.Conds, cond)
			want = want && oracle(reflect.ValueOf(r).Field(field), cond.Op, operands)
		}
		require.NoError(t, template.CheckConds(c.Schema(), tmpl.Conds))
		require.Equal(t, want, tmpl.Match(encode(t, c, &r)), "%+v\n%+v", r, tmpl)
		if want {
			matches++
		}
	}
	require.Greater(t, matches, 500, "the test matches too seldom to mean anything")
}

func operand(t *testing.T, s *template.Schema, field int, v any) template.Value {
	t.Helper()
	_, val, err := s.Operand(s.Fields[field].Name, v)
	require.NoError(t, err)
	return val
}

func TestTemplate_ZeroFieldsAreWildcards(t *testing.T) {
	t.Parallel()
	c := compile[Everything](t)
	zero := 0
	for name, q := range map[string]struct {
		example any
		fields  []string
	}{
		"nil":            {nil, nil},
		"nil pointer":    {(*Everything)(nil), nil},
		"zero":           {Everything{}, nil},
		"zero elsewhere": {Everything{At: time.Time{}.In(time.FixedZone("x", 60))}, nil},
		"one":            {&Everything{Text: "x"}, []string{"text"}},
		"empty, not nil": {
			Everything{Blob: []byte{}, List: []string{}, Map: map[int]string{}},
			[]string{"blob", "list", "map"},
		},
		"zero pointed": {Everything{Maybe: &zero, Pointer: &Inner{}}, []string{"maybe", "pointer"}},
	} {
		conds, err := c.Template(q.example)
		require.NoError(t, err, name)
		var names []string
		for _, cond := range conds {
			require.Equal(t, template.Eq, cond.Op)
			names = append(names, c.Schema().Fields[cond.Field].Name)
		}
		require.Equal(t, q.fields, names, name)
		require.NoError(t, template.CheckConds(c.Schema(), conds))
	}
}

func TestTemplate_AnEntryMatchesItself(t *testing.T) {
	t.Parallel()
	c := compile[Everything](t)
	v := everything()
	v.Double = math.NaN()
	conds, err := c.Template(v)
	require.NoError(t, err)
	require.Len(t, conds, len(c.Schema().Fields))
	require.True(t, (&template.Template{Conds: conds}).Match(encode(t, c, &v)))
	v.Chain.Next.N++
	require.False(t, (&template.Template{Conds: conds}).Match(encode(t, c, &v)))
}

func TestTemplate_PointerToNil(t *testing.T) {
	t.Parallel()
	type P struct{ B *[]byte }
	conds, err := compile[P](t).Template(P{new([]byte)})
	require.NoError(t, err)
	require.Equal(t, []template.Cond{{Op: template.IsNull}}, conds)
}

func TestTemplate_IsACopy(t *testing.T) {
	t.Parallel()
	c := compile[Everything](t)
	v := Everything{Blob: []byte("before")}
	conds, err := c.Template(&v)
	require.NoError(t, err)
	copy(v.Blob, "after!")
	require.True(t, (&template.Template{Conds: conds}).Match(encode(t, c, Everything{Blob: []byte("before")})))
}

func TestTemplate_RefusesOtherTypes(t *testing.T) {
	t.Parallel()
	_, err := compile[Job](t).Template(Inner{})
	require.EqualError(t, err, "template: template_test.Inner instead of a template_test.Job or a pointer to one")
}
