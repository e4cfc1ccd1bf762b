package local

import (
	"errors"
	"fmt"

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
		if err := callID(); !errors.Is(err, call.ErrUnknownKind) {
			return err
		}
	}
}

// bind sets what c.query has of q: kinds as numbers, or by name if the space does not have them yet. The partition
// checks it.
func (s *Space) bind(c *caller, q space.Query) error {
	under, err := s.under(q.Txn)
	if err != nil {
		return err
	}
	c.query.Templates, c.query.Order = c.query.Templates[:0], q.Order
	for _, t := range q.Templates {
		kind := s.partition.KindID(t.Kind)
		var bound call.Template
		if bound, c.query.Order, err = bindTemplate(kind, s.partition.Schema(kind), t, q.Order); err != nil {
			return err
		}
		c.query.Templates = append(c.query.Templates, bound)
	}
	c.query.Max, c.query.ID, c.query.Txn, c.query.Held = max(q.Max, 1), uint64(q.ID), under, q.Held
	return nil
}

// bindTemplate returns t, and the ordering of a query for it, for a partition that has its kind with a number and a
// schema; 0 if it has not.
func bindTemplate(kind call.KindID, schema *template.Schema, t *template.Template, order []template.Order) (
	call.Template, []template.Order, error,
) {
	switch {
	case t.Kind == "" && len(t.Conds) > 0:
		return call.Template{}, nil, invalid("a template without a kind has conditions")
	case t.Kind == "":
		return call.Template{}, order, nil
	case kind == 0 && t.Fields == nil && len(t.Conds)+len(order) > 0:
		return call.Template{}, nil, invalid("the template names fields of kind %q by position, "+
			"which the space does not have", t.Kind)
	case kind != 0:
		b, err := schema.Rebind(t.Fields, t.Conds, order)
		if err != nil {
			return call.Template{}, nil, misfit(err)
		}
		if b.Known {
			return call.Template{Kind: kind, Conds: b.Conds, Schema: schema}, b.Order, nil
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
