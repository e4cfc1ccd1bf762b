package server

import (
	"encoding/binary"
	"fmt"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/template"
)

// checkKinds returns call.ErrUnknownKind if the client has made q for classes that its kind no longer has, or for a
// kind that was dropped: the client is sent the kind, and makes the call again. It sends the numbers of the kinds that
// q names and the space has.
func (c *caller) checkKinds(q *call.Query) error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	for i := range q.Templates {
		t := &q.Templates[i]
		if t.Named != nil {
			c.announceKindLocked(c.host.KindID(t.Named.Kind))
			continue
		}
		if t.Kind == 0 || int(t.Kind) >= len(c.announced) {
			continue
		}
		old, schema := c.announced[t.Kind], c.host.Schema(t.Kind)
		switch {
		case old == nil || schema == nil:
		case c.host.IsDropped(t.Kind):
			c.announceDroppedLocked()
			return fmt.Errorf("%w: kind %q was dropped", call.ErrUnknownKind, schema.Kind)
		case old != schema:
			c.announceKindLocked(t.Kind)
			if !schema.Extends(old) {
				return fmt.Errorf("%w: kind %q has other classes now", call.ErrUnknownKind, schema.Kind)
			}
		}
		t.Schema = schema // which may change again before the call is made
	}
	return nil
}

// announceKindLocked sends the schema of a kind to the client, unless it has it.
func (c *caller) announceKindLocked(k call.KindID) {
	schema := c.host.Schema(k)
	if int(k) < len(c.announced) && c.announced[k] == schema || schema == nil {
		return
	}
	for len(c.announced) <= int(k) {
		c.announced = append(c.announced, nil)
	}
	c.announced[k] = schema
	c.sendKindLocked(k, schema)
}

// announceDroppedLocked sends which of the kinds that the client knows were dropped.
func (c *caller) announceDroppedLocked() {
	for k, schema := range c.announced {
		if schema != nil && c.host.KindID(schema.Kind) != call.KindID(k) {
			c.announced[k] = nil
			c.sendKindLocked(call.KindID(k), nil)
		}
	}
}

// sendKindLocked sends a Kind: without a schema, the kind was dropped.
func (c *caller) sendKindLocked(k call.KindID, schema *template.Schema) {
	if c.stale.Load() {
		return // the client would take it for a kind of the next opening
	}
	out := c.s.out.Buffer()
	start := len(out)
	out = binary.AppendUvarint(wire.Begin(out, wire.Kind, c.handle), uint64(k))
	if schema != nil {
		out = template.AppendSchema(out, schema)
	}
	c.s.out.Commit(wire.End(out, start))
	c.s.wakeLocked()
}
