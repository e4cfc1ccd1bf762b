package template_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/template"
)

// Job is a small flat entry, as most programs have.
type Job struct {
	ID       int64 `space:"id,id"`
	State    string
	Priority int
	Due      time.Time
	Cost     float64
}

// Everything has a field of every class, and of every type that can be null.
type Everything struct {
	Flag     bool
	Small    int8
	Big      int64
	Unsigned uint64
	Single   float32
	Double   float64
	Text     string
	Blob     []byte
	Hash     [4]byte
	At       time.Time
	Wait     time.Duration
	Maybe    *int
	List     []string
	Fixed    [2]int
	Map      map[int]string
	Inner    Inner
	Pointer  *Inner
	Chain    *Link
	Table    map[string][]Inner
}

// Inner is a nested struct.
type Inner struct {
	Name string
	Opt  *float64
}

// Link is a recursive type.
type Link struct {
	N    int
	Next *Link
}

func compile[T any](t testing.TB) *template.Codec {
	t.Helper()
	c, err := template.Compile(reflect.TypeFor[T]())
	require.NoError(t, err)
	return c
}

// encode returns v as a row and checks that a space would take it.
func encode(t testing.TB, c *template.Codec, v any) template.Row {
	t.Helper()
	row, err := c.AppendRow(nil, v)
	require.NoError(t, err)
	require.NoError(t, template.Row(row).Check(c.Schema()))
	return row
}

func everything() Everything {
	seven, half := 7, 0.5
	return Everything{
		Flag: true, Small: -128, Big: -1 << 63, Unsigned: 1<<64 - 1, Single: 1.5, Double: -2.25,
		Text: "text", Blob: []byte{}, Hash: [4]byte{1, 2, 3, 4},
		At: time.Date(2026, 2, 3, 4, 5, 6, 7, time.UTC), Wait: time.Minute,
		Maybe: &seven, List: []string{"a", ""}, Fixed: [2]int{1, 2}, Map: map[int]string{1: "one", -1: "minus"},
		Inner: Inner{Name: "in"}, Pointer: &Inner{Opt: &half}, Chain: &Link{1, &Link{2, nil}},
		Table: map[string][]Inner{"x": {{Name: "y"}}, "": nil},
	}
}
