package space

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gospaces/gospaces/template"
)

// naming holds the fields that a template names: those of its Go type, and others that its conditions or its ordering
// name.
type naming struct {
	schema *template.Schema // that of the type, or an extension of it
}

// need ensures that the named field is known. A field that the type lacks is as in the space or, if the space lacks it
// too, of the class that c, which may be nil, gives it.
func (n *naming) need(ctx context.Context, sp Space, field string, c *Criterion) error {
	if n.schema.Index(field) >= 0 {
		return nil
	}
	f := template.Field{Name: field}
	known, err := sp.Schema(ctx, n.schema.Kind)
	if err != nil {
		return err
	}
	if i := indexOf(known, field); i >= 0 {
		f.Class = known.Fields[i].Class
	} else if i := slices.IndexFunc(n.schema.Fields, func(o template.Field) bool {
		return sameLetters(o.Name,
			field)
	}); i >= 0 {
		return invalid("kind %q has no field %q; it has %q", n.schema.Kind, field, n.schema.Fields[i].Name)
	} else if f.Class, err = c.class(); err != nil {
		return invalid("field %q of kind %q: %v", field, n.schema.Kind, err)
	}
	n.schema = &template.Schema{Kind: n.schema.Kind, Fields: append(slices.Clip(n.schema.Fields), f)}
	return nil
}

// indexOf is s.Index for a schema that may be nil.
func indexOf(s *template.Schema, field string) int {
	if s == nil {
		return -1
	}
	return s.Index(field)
}

// sameLetters reports whether two names differ only in case and underscores, as the Go name of a field differs from its
// name in the space.
func sameLetters(a, b string) bool {
	return strings.EqualFold(strings.ReplaceAll(a, "_", ""), strings.ReplaceAll(b, "_", ""))
}

// class returns the class of a field for which c can be a condition; 0 if any class fits.
func (c *Criterion) class() (template.Class, error) {
	switch {
	case c == nil || c.op == template.IsNull || c.op == template.NotNull:
		return 0, nil
	case c.op == template.Prefix:
		return template.String, nil
	case c.op == template.In && len(c.operands) > 0:
		return template.ClassOf(c.operands[0])
	}
	return template.ClassOf(c.operand)
}

// orders compiles the fields of OrderBy.
func (n *naming) orders(ctx context.Context, sp Space, names []string) ([]template.Order, error) {
	if len(names) == 0 {
		return nil, nil
	}
	orders := make([]template.Order, 0, len(names))
	for _, name := range names {
		field, desc := strings.CutPrefix(name, "-")
		if err := n.need(ctx, sp, field, nil); err != nil {
			return nil, err
		}
		i := n.schema.Index(field)
		if slices.ContainsFunc(orders, func(o template.Order) bool { return o.Field == i }) {
			return nil, invalid("OrderBy names field %q twice", field)
		}
		if f := n.schema.Fields[i]; f.Class != 0 && !f.Class.Ordered() {
			return nil, invalid("ordering by field %q of kind %q: a %s has no order", field, n.schema.Kind, f.Class)
		}
		orders = append(orders, template.Order{Field: i, Desc: desc})
	}
	if len(orders) > template.MaxOrder {
		return nil, fmt.Errorf("%w: ordering by %d keys, more than %d", ErrInvalidArgument, len(orders), template.MaxOrder)
	}
	return orders, nil
}
