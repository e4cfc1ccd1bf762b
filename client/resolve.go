package client

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/template"
)

// resolve makes a kind that c needs known to the session: for a write, kinds registered by callers are registered
// again; others are looked up.
func (s *part) resolve(ctx context.Context, l *link, c *pendingCall, kind string) error {
	if schema := s.space.registered(kind); schema != nil && c.writes() {
		return s.announce(ctx, l, c, schema)
	}
	err := s.lookUp(ctx, l, c.sub(wire.Schema), kind)
	if errors.Is(err, call.ErrUnknownKind) {
		return fmt.Errorf("%w: %w: %q is not registered", space.ErrInvalidArgument, call.ErrUnknownKind, kind)
	}
	return err
}

// writes reports whether c has rows.
func (c *pendingCall) writes() bool { return c.entry().HasRows() }

// announce registers a kind in a session, after those that it embeds. It is a part of call of.
func (s *part) announce(ctx context.Context, l *link, of *pendingCall, schema *template.Schema) error {
	for _, super := range schema.Supers {
		if sup := s.space.registered(super); sup != nil {
			if err := s.announce(ctx, l, of, sup); err != nil {
				return err
			}
		}
	}
	c := of.sub(wire.Register)
	defer c.free()
	c.schema = schema
	if err := l.call(ctx, c); err != nil {
		return err
	}
	r, err := c.result()
	if err != nil {
		return err
	}
	now, err := c.schemaOf(r.Count)
	if err != nil {
		return err
	}
	if len(now.Fields) >= len(schema.Fields) && slices.Equal(now.Fields[:len(schema.Fields)], schema.Fields) {
		return nil
	}
	// Another client came first to a space that has lost its kinds: rows made for the old order now mean something else.
	s.space.outdated(schema)
	return fmt.Errorf("%w: the space was replaced, and its kind %q has other fields now",
		space.ErrSchemaConflict, schema.Kind)
}

// lookUp looks up a kind by its name with the call c, which it frees. The answer comes after the kind's schema, which
// the reader has learned.
func (s *part) lookUp(ctx context.Context, l *link, c *pendingCall, kind string) error {
	defer c.free()
	c.name = kind
	return l.call(ctx, c)
}
