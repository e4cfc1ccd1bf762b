package engine

import (
	"encoding/binary"
	"slices"

	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/internal/store"
	"github.com/gospaces/gospaces/template"
)

// A demand for its shape, or a record of the log, starts an index. Work builds it in steps beside the calls; from then
// on queries use it; and it is dropped when queries no longer use it, or when a better one needs its place. The indexes
// of free entries are in the log and in images, so neither a restart nor a successor has to learn them again.

// pay records that a call examined n entries of a pool in vain, for want of an index of the given shape, and starts the
// index when it pays off.
func (e *Engine) pay(k *kind, p *store.Pool, sh store.Shape, n int) {
	if p.Pay(e.calls, sh, n) {
		sh.Keys = slices.Clone(sh.Keys)
		e.startIndex(k, p, sh)
	}
}

// startIndex adds an index of the given shape to p; it is built later.
func (e *Engine) startIndex(k *kind, p *store.Pool, sh store.Shape) {
	if len(p.Indexes()) == store.MaxIndexes {
		e.dropIndex(k, p, p.Idlest())
	}
	e.noteIndex(k, p, record.Index, sh)
	p.Start(sh)
}

// dropIndex removes an index from p. Calls that were about to use it look for another way.
func (e *Engine) dropIndex(k *kind, p *store.Pool, ix *store.Index) {
	e.noteIndex(k, p, record.DropIndex, ix.Shape)
	e.removeIndex(p, ix)
}

// removeIndex is dropIndex for a decision from the log.
func (e *Engine) removeIndex(p *store.Pool, ix *store.Index) {
	for _, x := range e.searches {
		x.stale = x.stale || slices.ContainsFunc(x.ways, func(w way) bool { return w.path.Uses(ix) })
	}
	p.Drop(ix)
}

// noteIndex records the start or end of an index, if the log should know it: read locks, and the indexes of read-locked
// entries, end with the process.
func (e *Engine) noteIndex(k *kind, p *store.Pool, op record.Op, sh store.Shape) {
	if p.State() == free {
		e.change()
		e.Log = record.AppendIndex(e.Log, op, k.id, appendShape(nil, sh))
	}
}

// tend drops the indexes that calls no longer use.
func (e *Engine) tend(k *kind, p *store.Pool) {
	for ix := p.Useless(); ix != nil; ix = p.Useless() {
		e.dropIndex(k, p, ix)
	}
}

// applyIndex applies the start or end of an index.
func (e *Engine) applyIndex(r *record.Record) error {
	if r.Kind == 0 || int(r.Kind) > len(e.kinds) {
		return errKind
	}
	k := e.kinds[r.Kind-1]
	sh, ok := decodeShape(r.Body, len(k.schema.Fields))
	if !ok {
		return record.ErrCorrupt
	}
	ix := k.Free.Index(sh)
	switch {
	case r.Op == record.Index && ix == nil:
		k.Free.Start(sh)
	case r.Op == record.DropIndex && ix != nil:
		e.removeIndex(&k.Free, ix)
	default:
		return errState
	}
	return nil
}

// Busy reports whether Work has something to do.
func (e *Engine) Busy() bool { return e.store.Building() }

// Work does up to about budget units of the work beside calls, a unit being an entry examined: it builds indexes. It
// has no visible effect. The owner of the engine calls it repeatedly while Busy, and lets calls pass in between.
func (e *Engine) Work(budget int) { e.store.Build(budget) }

// appendShape appends the encoding of sh, which is part of the log format.
func appendShape(dst []byte, sh store.Shape) []byte {
	dst = binary.AppendUvarint(dst, uint64(sh.Eq))
	dst = binary.AppendUvarint(dst, uint64(len(sh.Keys)))
	for _, key := range sh.Keys {
		n := uint64(key.Field) << 1
		if key.Desc {
			n |= 1
		}
		dst = binary.AppendUvarint(dst, n)
	}
	if sh.Bound > 0 {
		dst = binary.AppendUvarint(dst, uint64(sh.Bound))
	}
	return dst
}

// decodeShape is the inverse of appendShape; it returns false for a shape that is not valid for a kind with n fields.
func decodeShape(b []byte, n int) (sh store.Shape, ok bool) {
	d := bodyDecoder{b}
	sh.Eq = store.FieldSet(d.uvarint())
	for range d.count() {
		v := d.uvarint()
		key := template.Order{Field: int(v >> 1), Desc: v&1 != 0}
		if v>>1 >= uint64(n) {
			return store.Shape{}, false
		}
		sh.Keys = append(sh.Keys, key)
	}
	if len(d.b) > 0 {
		sh.Bound = int(min(d.uvarint(), uint64(n)))
	}
	ok = sh.Eq.Within(store.FieldsBelow(n)) && sh.Indexable() && slices.Equal(b, appendShape(nil, sh))
	return sh, ok
}
