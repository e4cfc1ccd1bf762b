package space

import (
	"context"

	"github.com/gospaces/gospaces/internal/engine"
	"github.com/gospaces/gospaces/template"
)

// bind sets c.query to what q means in the partition: kinds as numbers, templates of kinds that nobody has written left
// out. If register is set none is left out: such kinds are made known, so that a wait for them can begin. The partition checks the rest.
func (s *Local) bind(ctx context.Context, c *caller, q Query, register bool) error {
	under, err := s.under(q.Txn)
	if err != nil {
		return err
	}
	for _, t := range q.Templates {
		kind, err := s.kind(ctx, t, register)
		if err != nil {
			return err
		}
		if kind == 0 && t.Kind != "" {
			continue
		}
		c.query.Templates = append(c.query.Templates, engine.Template{Kind: kind, Conds: t.Conds})
	}
	c.query.Order, c.query.Max, c.query.ID, c.query.Txn = q.Order, max(q.Max, 1), uint64(q.ID), under
	return nil
}

// kind returns the number of a template's kind; 0 for a template without a kind, or if nobody has written the kind.
func (s *Local) kind(ctx context.Context, t *template.Template, register bool) (engine.KindID, error) {
	if t.Kind == "" {
		if len(t.Conds) > 0 {
			return 0, invalid("a template without a kind has conditions")
		}
		return 0, nil
	}
	kind := s.partition.KindID(t.Kind)
	if kind == 0 {
		if len(t.Conds) > 0 {
			return 0, invalid("kind %q is not registered, but has conditions", t.Kind)
		}
		if !register {
			return 0, nil
		}
		if _, err := s.Register(ctx, &template.Schema{Kind: t.Kind}); err != nil {
			return 0, err
		}
		kind = s.partition.KindID(t.Kind)
	}
	return kind, nil
}
