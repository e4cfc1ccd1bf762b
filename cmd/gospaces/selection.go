package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/template"
)

// selection selects entries on a command line: KIND, a JSON template, --where and --order.
type selection struct {
	kind    string
	example []byte // JSON object; nil: none
	where   []comparison
	order   []string
}

// selectionFlags are the values of the flags of a selection.
type selectionFlags struct {
	where []string
	order []string
}

func (f *selectionFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&f.where, "where", nil,
		"condition like 'priority >= 5'; repeat it for more, which must all hold.\n"+
			"Operators: = != < <= > >= ^= (prefix), in (a, b), is null, is not null")
}

func (f *selectionFlags) addOrder(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&f.order, "order", nil, "fields to order by instead of age, descending with - before them")
}

// selection parses flags and the arguments KIND [JSON]. Its errors are mistakes in usage.
func (f *selectionFlags) selection(args []string) (*selection, error) {
	s := &selection{order: f.order}
	if len(args) > 0 {
		s.kind = args[0]
	}
	if len(args) > 1 && strings.TrimSpace(args[1]) != "{}" {
		s.example = []byte(args[1])
	}
	if s.kind == "" && (s.example != nil || len(f.where) > 0 || len(f.order) > 0) {
		return nil, usage("a template, condition or ordering needs a kind: fields have types only within one")
	}
	for _, expr := range f.where {
		c, err := parseWhere(expr)
		if err != nil {
			return nil, usageError{err}
		}
		s.where = append(s.where, c)
	}
	return s, nil
}

// errNoKind is the error of a selection by fields of a kind that was never written.
var errNoKind = errors.New("the space has no kind")

// query returns the query for the selection. The fields of a kind that was never written have no types, so conditions
// on them are ErrNoMatch, or errNoKind if waits is true.
func (s *selection) query(ctx context.Context, sp space.Space, waits bool) (space.Query, error) {
	t := &template.Template{Kind: s.kind}
	q := space.Query{Templates: []*template.Template{t}}
	if s.example == nil && len(s.where) == 0 && len(s.order) == 0 {
		return q, nil
	}
	schema, err := schemaOf(ctx, sp, s.kind)
	if err != nil {
		return q, err
	}
	if schema == nil {
		if waits {
			return q, fmt.Errorf("%w %q yet, so its fields have no types: write an entry first", errNoKind, s.kind)
		}
		return q, space.ErrNoMatch
	}
	if t.Conds, err = s.conds(schema); err != nil {
		return q, usageError{err}
	}
	if q.Order, err = s.orders(schema); err != nil {
		return q, usageError{err}
	}
	return q, nil
}

func (s *selection) conds(schema *template.Schema) (conds []template.Cond, err error) {
	if s.example != nil {
		if err := checkMembers(schema, s.example); err != nil {
			return nil, err
		}
		if conds, err = template.CondsFromJSON(schema, s.example); err != nil {
			return nil, err
		}
	}
	for _, c := range s.where {
		cond, err := c.cond(schema)
		if err != nil {
			return nil, err
		}
		conds = append(conds, cond)
	}
	return conds, template.CheckConds(schema, conds)
}

// checkMembers returns an error for a JSON object with a field that the kind lacks.
func checkMembers(schema *template.Schema, object []byte) error {
	var members map[string]json.RawMessage
	if json.Unmarshal(object, &members) != nil {
		return nil // the error of what reads it as a template is better
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if schema.Index(name) < 0 {
			return noField(schema, name)
		}
	}
	return nil
}

func (s *selection) orders(schema *template.Schema) ([]template.Order, error) {
	var orders []template.Order
	for _, key := range s.order {
		name, desc := strings.CutPrefix(key, "-")
		i := schema.Index(name)
		if i < 0 {
			return nil, noField(schema, name)
		}
		orders = append(orders, template.Order{Field: i, Desc: desc})
	}
	return orders, template.CheckOrder(schema, orders)
}

// schemaOf returns the schema that the space has for a kind, or nil.
func schemaOf(ctx context.Context, sp space.Space, kind string) (*template.Schema, error) {
	kinds, err := sp.Kinds(ctx)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(kinds, func(k space.KindInfo) bool { return k.Schema.Kind == kind })
	if i < 0 {
		return nil, nil
	}
	return kinds[i].Schema, nil
}

// noField returns the error for a field that a kind lacks, with the fields that it has.
func noField(s *template.Schema, name string) error {
	var names []string
	for _, f := range s.Fields {
		names = append(names, f.Name)
	}
	if hint := perhaps("", name, names); hint != "" {
		return fmt.Errorf("kind %q has no field %q%s", s.Kind, name, hint)
	}
	return fmt.Errorf("kind %q has no field %q; it has %s", s.Kind, name, strings.Join(names, ", "))
}
