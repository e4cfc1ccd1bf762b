package engine

import (
	"fmt"

	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// Register makes a kind known, or adds to its schema what s has more. Result: Count, the KindID.
// It fails with ErrSchemaConflict, ErrInvalidArgument if s is malformed, and ErrUnknownKind if it embeds a kind that is not registered.
func (e *Engine) Register(now int64, s *template.Schema) Result {
	e.begin(now)
	if err := s.Check(); err != nil {
		return failed(fmt.Errorf("%w: %w", ErrInvalidArgument, err))
	}
	for _, super := range s.Supers {
		if e.byName[super] == 0 {
			return failed(fmt.Errorf("%w: %q embeds %q, which is not registered", ErrUnknownKind, s.Kind, super))
		}
	}
	id := e.byName[s.Kind]
	merged := s
	if id != 0 {
		var err error
		if merged, err = e.kinds[id-1].schema.Merge(s); err != nil {
			return failed(err)
		}
		if merged == e.kinds[id-1].schema {
			return Result{Count: int(id), Depends: e.kinds[id-1].registered}
		}
	} else {
		id = KindID(len(e.kinds) + 1)
	}
	e.change()
	e.Log = record.AppendKind(e.Log, id, template.AppendSchema(nil, merged))
	e.setKind(id, merged)
	return Result{Count: int(id), Depends: e.lsn}
}

// setKind gives kind id, which may be the next new one, a schema.
func (e *Engine) setKind(id KindID, s *template.Schema) {
	if int(id) > len(e.kinds) {
		e.kinds = append(e.kinds, &kind{id: id})
	}
	k := e.kinds[id-1]
	k.schema, k.registered = s, e.lsn
	e.byName[s.Kind] = id
	e.relate()
}

// Schema returns the schema of a kind, or nil.
func (e *Engine) Schema(id KindID) *template.Schema {
	if id == 0 || int(id) > len(e.kinds) {
		return nil
	}
	return e.kinds[id-1].schema
}

// Write stores all drafts or none, and serves whoever waits for them. Rows must have passed Check.
// Result: Grants, one per draft. It fails with ErrInvalidArgument and ErrUnknownKind.
func (e *Engine) Write(now int64, under txn.ID, by Request, drafts []Draft) Result {
	e.begin(now)
	if err := e.checkDrafts(drafts); err != nil {
		return failed(err)
	}
	e.change()
	for i := range drafts {
		d := &drafts[i]
		lease := capped(d.Lease, e.limits.EntryLease)
		id := e.nextID()
		e.grants = append(e.grants, Grant{ID: id, Granted: lease})
		e.put(id, e.kinds[d.Kind-1], e.until(lease), d.Row)
	}
	e.wrote(by, e.grants)
	for i := range drafts {
		e.kinds[drafts[i].Kind-1].tend()
		p, ok := e.places.get(e.grants[i].ID)
		switch k := e.kinds[drafts[i].Kind-1]; {
		case !ok: // taken by a call that waited with an ordering
		case !k.alive(e, p.slot): // a lease that ended at once
			e.remove(k, p.slot, record.Expired)
		default:
			e.offer(k, p.slot)
		}
	}
	e.settle()
	return Result{Grants: e.grants, Depends: e.lsn}
}

func (e *Engine) checkDrafts(drafts []Draft) error {
	if len(drafts) == 0 {
		return fmt.Errorf("%w: nothing to write", ErrInvalidArgument)
	}
	for i := range drafts {
		d := &drafts[i]
		if d.Lease < 0 {
			return fmt.Errorf("%w: negative lease", ErrInvalidArgument)
		}
		if d.Kind == 0 || int(d.Kind) > len(e.kinds) {
			return fmt.Errorf("%w: number %d", ErrUnknownKind, d.Kind)
		}
	}
	return nil
}

// put stores and records one entry.
func (e *Engine) put(id uint64, k *kind, expires int64, row template.Row) {
	e.Log = record.AppendPut(e.Log, id, k.id, expires, row)
	k.insert(e, id, expires, row)
}

func failed(err error) Result { return Result{Err: err} }
