package template_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/template"
)

type chain struct {
	Next *chain
	Bad  map[time.Time]int
}

// Errors about nested values name the place once, however deep it is.
func TestAppendRow_NamesNestedValues(t *testing.T) {
	t.Parallel()
	c, err := template.Compile(reflect.TypeFor[chain]())
	require.NoError(t, err)
	deep := &chain{}
	for range 100 {
		deep = &chain{Next: deep}
	}
	_, err = c.AppendRow(nil, deep)
	require.EqualError(t, err, `template: field "next" of kind "chain": nested deeper than 64 levels`)

	now := time.Now().UTC()
	twice := map[time.Time]int{now: 1, now.In(time.FixedZone("east", 3600)): 2}
	_, err = c.AppendRow(nil, &chain{Next: &chain{Next: &chain{Bad: twice}}})
	require.ErrorContains(t, err, `template: field "next" of kind "chain": at "next.bad": `)
}

func TestCompile_NamesNestedFields(t *testing.T) {
	t.Parallel()
	type outer struct {
		Inner struct{ Deep struct{ F func() } }
	}
	_, err := template.Compile(reflect.TypeFor[outer]())
	require.EqualError(t, err, "template: field Inner.Deep.F of template_test.outer: func values cannot be stored")
}
