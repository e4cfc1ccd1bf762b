package engine

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/template"
)

// Register creates a kind, or extends its schema by the fields and supers that only s has. If s contradicts the classes
// that fields have, and there is no entry of the kind or of one that embeds it, the fields get the classes of s, in all
// of these kinds. Result: Count, the KindID. It fails with ErrSchemaConflict, ErrInvalidArgument if s is malformed, and
// ErrUnknownKind if it embeds a kind that is not registered.
func (e *Engine) Register(now int64, s *template.Schema) call.Result {
	e.begin(now)
	if err := e.checkSchema(s); err != nil {
		return failed(err)
	}
	id := e.byName[s.Kind]
	if id == 0 {
		id = call.KindID(len(e.kinds) + 1)
		e.recordKind(id, s)
		return e.registered(id)
	}
	k := e.kinds[id-1]
	merged, err := k.schema.Merge(s)
	if err != nil {
		if merged, err = e.reclassify(k, s, err); err != nil {
			return failed(err)
		}
	}
	if merged != k.schema {
		e.recordKind(id, merged)
	}
	return e.registered(id)
}

// checkSchema returns the error if s cannot be registered, whatever the current schema of its kind.
func (e *Engine) checkSchema(s *template.Schema) error {
	if err := s.Check(); err != nil {
		return fmt.Errorf("%w: %w", call.ErrInvalidArgument, err)
	}
	for _, name := range s.Supers {
		id := e.byName[name]
		if id == 0 {
			return fmt.Errorf("%w: %q embeds %q, which is not registered", call.ErrUnknownKind, s.Kind, name)
		}
		if err := e.kinds[id-1].schema.Agree(s.Fields); err != nil {
			return fmt.Errorf("kind %q: %w", s.Kind, err)
		}
	}
	return nil
}

// reclassify changes the classes of fields of k to those in s, also in the kinds that embed k, provided that none of
// these kinds has entries; it returns the new schema of k. If there are entries, or s still contradicts the schema, it
// returns conflict.
func (e *Engine) reclassify(k *kind, s *template.Schema, conflict error) (*template.Schema, error) {
	if !errors.Is(conflict, template.ErrSchemaConflict) {
		return nil, conflict
	}
	merged, err := k.schema.Reclassified(s).Merge(s)
	if err != nil {
		return nil, err
	}
	for _, sub := range k.family {
		if sub.Used() > 0 {
			return nil, fmt.Errorf("%w; it could if there were no entries of kind %q", conflict, sub.schema.Kind)
		}
	}
	for _, sub := range k.family {
		if next := sub.schema.Reclassified(s); sub != k && next != sub.schema {
			e.recordKind(sub.id, next)
		}
	}
	return merged, nil
}

// recordKind sets the schema of kind id, which may be the next new one, and serves calls that match entries only under
// the new schema.
func (e *Engine) recordKind(id call.KindID, s *template.Schema) {
	e.change()
	e.Log = record.AppendKind(e.Log, id, template.AppendSchema(nil, s))
	var before []ancestor
	if int(id) <= len(e.kinds) {
		before = slices.Clone(e.kinds[id-1].lineage)
	}
	e.setKind(id, s)
	e.embraced(e.kinds[id-1], before)
}

// registered is the result of Register for an existing kind.
func (e *Engine) registered(id call.KindID) call.Result {
	e.settle()
	return call.Result{Count: int(id), Depends: e.kinds[id-1].registered}
}

// setKind sets the schema of kind id, which may be the next new one.
func (e *Engine) setKind(id call.KindID, s *template.Schema) {
	if int(id) > len(e.kinds) {
		e.kinds = append(e.kinds, newKind(e.store, id))
	}
	k := e.kinds[id-1]
	if k.schema != nil && s.Agree(k.schema.Fields) != nil {
		e.unbind(k)
	}
	k.schema, k.registered = s, e.lsn
	e.byName[s.Kind] = id
	e.relate()
	e.rebind(s.Kind)
}

// Drop removes a kind: its name is free for another schema. Its number stays in use, so that a caller that still has it
// gets an error. It fails with ErrNoMatch if there is no such kind, and with ErrKindInUse if the kind has entries or is
// embedded by others.
func (e *Engine) Drop(now int64, name string) call.Result {
	e.begin(now)
	id := e.byName[name]
	if id == 0 {
		return failed(fmt.Errorf("%w: there is no kind %q", call.ErrNoMatch, name))
	}
	k := e.kinds[id-1]
	if k.Used() > 0 {
		return failed(fmt.Errorf("%w: kind %q has entries (%d): take or cancel them first",
			call.ErrKindInUse, name, k.Used()))
	}
	for _, sub := range k.family {
		if sub != k {
			return failed(fmt.Errorf("%w: kind %q embeds %q: drop that first", call.ErrKindInUse, sub.schema.Kind, name))
		}
	}
	e.change()
	for _, ix := range slices.Clone(k.Free.Indexes()) {
		e.dropIndex(k, &k.Free, ix)
	}
	e.Log = record.AppendDrop(e.Log, id)
	e.dropKind(k)
	e.settle()
	return call.Result{Depends: e.lsn}
}

// dropKind turns k, which has no entries, into a number without a name.
func (e *Engine) dropKind(k *kind) {
	e.unbind(k)
	k.dropped, k.changed = true, e.lsn
	delete(e.byName, k.schema.Kind)
	e.relate()
	e.rebind(k.schema.Kind)
}

// Schema returns the schema of a kind, or the last schema of a dropped kind; nil for a number that was never in use.
func (e *Engine) Schema(id call.KindID) *template.Schema {
	if id == 0 || int(id) > len(e.kinds) {
		return nil
	}
	return e.kinds[id-1].schema
}

// KindID returns the number of the named kind, or 0.
func (e *Engine) KindID(name string) call.KindID { return e.byName[name] }

// Describe looks a kind up. Result.Count is its number; or call.ErrUnknownKind.
func (e *Engine) Describe(name string) call.Result {
	id := e.KindID(name)
	if id == 0 {
		return call.Result{Err: call.ErrUnknownKind, Depends: e.lsn}
	}
	return call.Result{Count: int(id), Depends: e.kinds[id-1].registered}
}

// checkKind returns ErrUnknownKind if no kind has that number.
func (e *Engine) checkKind(id call.KindID) error {
	if id == 0 || int(id) > len(e.kinds) || e.kinds[id-1].dropped {
		return fmt.Errorf("%w: number %d", call.ErrUnknownKind, id)
	}
	return nil
}
