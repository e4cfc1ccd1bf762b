package local

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/template"
)

// query makes a call about what q means in the partition. It repeats the call if that changed just then: a kind was
// dropped, so that its number means nothing any more, or has another schema.
func (s *Space) query(c *caller, q space.Query, callID func() error) error {
	for {
		if err := s.bind(c, q); err != nil {
			return err
		}
		err := callID()
		if errors.Is(err, call.ErrUnknownKind) || errors.Is(err, space.ErrInvalidArgument) && s.outdated(c) {
			continue
		}
		return err
	}
}

// binding is a kind whose schema c.query was bound to.
type binding struct {
	kind   call.KindID
	schema *template.Schema
}

// outdated reports whether c.query was bound to a schema that its kind does not have any more.
func (s *Space) outdated(c *caller) bool {
	return slices.ContainsFunc(c.bound, func(b binding) bool { return s.partition.Schema(b.kind) != b.schema })
}

// bind sets what c.query has of q: kinds as numbers, or by name if the space does not have them yet. The partition
// checks it.
func (s *Space) bind(c *caller, q space.Query) error {
	under, err := s.under(q.Txn)
	if err != nil {
		return err
	}
	c.query.Templates, c.query.Order, c.bound = c.query.Templates[:0], q.Order, c.bound[:0]
	for _, t := range q.Templates {
		var b binding
		if b.kind = s.partition.KindID(t.Kind); b.kind != 0 {
			b.schema = s.partition.Schema(b.kind)
			c.bound = append(c.bound, b)
		}
		var bound call.Template
		if bound, c.query.Order, err = bindTemplate(b, t, q.Order); err != nil {
			return err
		}
		c.query.Templates = append(c.query.Templates, bound)
	}
	c.query.Max, c.query.ID, c.query.Txn, c.query.Held = max(q.Max, 1), uint64(q.ID), under, q.Held
	return nil
}

// bindTemplate returns t, and the ordering of a query for it, for a partition that has its kind as to says.
func bindTemplate(to binding, t *template.Template, order []template.Order) (call.Template, []template.Order, error) {
	switch {
	case t.Kind == "" && len(t.Conds) > 0:
		return call.Template{}, nil, invalid("a template without a kind has conditions")
	case t.Kind == "":
		return call.Template{}, order, nil
	case to.kind == 0 && t.Fields == nil && len(t.Conds)+len(order) > 0:
		return call.Template{}, nil, invalid("the template names fields of kind %q by position, "+
			"which the space does not have", t.Kind)
	case to.kind != 0:
		b, err := to.schema.Rebind(t.Fields, t.Conds, order)
		if err != nil {
			return call.Template{}, nil, misfit(err)
		}
		if b.Known {
			return call.Template{Kind: to.kind, Conds: b.Conds}, b.Order, nil
		}
	}
	return call.Template{Named: &call.Named{Template: *t, Order: order}}, order, nil
}

// misfit returns the error for what does not fit a schema: ErrSchemaConflict if err says so, and otherwise
// ErrInvalidArgument.
func misfit(err error) error {
	if errors.Is(err, space.ErrSchemaConflict) {
		return err
	}
	return fmt.Errorf("%w: %w", space.ErrInvalidArgument, err)
}

// invalid returns an error that wraps space.ErrInvalidArgument.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{space.ErrInvalidArgument}, args...)...)
}
