package engine

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/template"
)

// chooser makes the choices of a random program: a *rand.Rand, or the bytes of a fuzz test.
type chooser interface {
	IntN(n int) int // in [0, n)
}

// oneIn reports true once in n times.
func oneIn(r chooser, n int) bool { return r.IntN(n) == n-1 }

// bytesChooser takes its choices from bytes; once they are used up it chooses 0.
type bytesChooser struct{ b []byte }

func (c *bytesChooser) IntN(n int) int {
	if len(c.b) == 0 {
		return 0
	}
	v := int(c.b[0])
	c.b = c.b[1:]
	if n > 256 && len(c.b) > 0 {
		v = v<<8 | int(c.b[0])
		c.b = c.b[1:]
	}
	return v % n
}

var (
	animal = &template.Schema{Kind: "animal", Fields: []template.Field{
		{Name: "name", Class: template.String}, {Name: "age", Class: template.Int}, {Name: "weight", Class: template.Float},
	}}
	dog = &template.Schema{Kind: "dog", Supers: []string{"animal"}, Fields: []template.Field{
		{Name: "barks", Class: template.Bool},
		{Name: "name", Class: template.String},
		{Name: "age", Class: template.Int},
		{Name: "weight", Class: template.Float},
	}}
	stone = &template.Schema{Kind: "stone", Fields: []template.Field{{Name: "age", Class: template.Int}}}
)

const (
	animalKind = 1
	dogKind    = 2
	stoneKind  = 3
)

// Positions of the fields of an animal in each kind.
var animalFields = map[call.KindID][]int{animalKind: {0, 1, 2}, dogKind: {1, 2, 3}}

// Random programs use few values, so that entries and templates match.
func randomValue(r chooser, c template.Class) template.Value {
	switch c {
	case template.Bool:
		return template.AppendBool(nil, r.IntN(2) == 0)
	case template.Int:
		return template.AppendInt(nil, int64(r.IntN(12)-6)*100)
	case template.Float:
		return template.AppendFloat(nil, float64(r.IntN(8)-4)/2)
	}
	return template.AppendString(nil,
		[]string{
			"", "a", "ab", "abc", "b", "a long name that shares its first bytes: 1",
			"a long name that shares its first bytes: 2",
		}[r.IntN(7)])
}

func randomRow(r chooser, s *template.Schema) template.Row {
	var row []byte
	end := 0
	for _, f := range s.Fields {
		if r.IntN(8) == 0 {
			row = append(row, 0)
			continue
		}
		v := randomValue(r, f.Class)
		row = append(append(row, byte(len(v))), v...)
		end = len(row)
	}
	return row[:end]
}

func randomCond(r chooser, s *template.Schema) template.Cond {
	f := r.IntN(len(s.Fields))
	c := s.Fields[f].Class
	v := randomValue(r, c)
	switch op := template.Op(1 + r.IntN(int(template.NotNull))); {
	case op == template.IsNull || op == template.NotNull:
		return template.Cond{Field: f, Op: op}
	case op == template.In:
		return template.Cond{Field: f, Op: op, Values: []template.Value{v, randomValue(r, c), v}}
	case op == template.Prefix && c != template.String:
		return template.Cond{Field: f, Op: template.Eq, Value: v}
	case r.IntN(3) == 0:
		return template.Cond{Field: f, Op: template.Eq, Value: v}
	default:
		return template.Cond{Field: f, Op: op, Value: v}
	}
}

var schemas = []*template.Schema{animal, dog, stone}

func randomTemplate(r chooser) call.Template {
	kind := call.KindID(r.IntN(4))
	t := call.Template{Kind: kind}
	if kind > 0 {
		for range r.IntN(3) {
			t.Conds = append(t.Conds, randomCond(r, schemas[kind-1]))
		}
	}
	return t
}

func randomQuery(r chooser) *call.Query {
	q := &call.Query{Templates: []call.Template{randomTemplate(r)}, Max: 1, Take: r.IntN(3) == 0}
	if r.IntN(4) == 0 {
		q.Max = 1 + r.IntN(10)
	}
	switch t := q.Templates[0]; {
	case r.IntN(6) == 0:
		q.Templates = append(q.Templates, randomTemplate(r))
	case t.Kind > 0 && r.IntN(4) == 0:
		n := len(schemas[t.Kind-1].Fields)
		q.Order = append(q.Order, template.Order{Field: r.IntN(n), Desc: r.IntN(2) == 0})
		if r.IntN(2) == 0 {
			q.Order = append(q.Order, template.Order{Field: r.IntN(n), Desc: r.IntN(2) == 0})
		}
	}
	return q
}

// newTestEngine returns an engine that knows the schemas.
func newTestEngine(tb testing.TB) *Engine {
	e := New(Config{}, 0)
	for i, s := range schemas {
		r := e.Register(1, s)
		require.NoError(tb, r.Err)
		require.Equal(tb, i+1, r.Count)
	}
	return e
}
