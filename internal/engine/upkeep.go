package engine

import (
	"slices"

	"github.com/gospaces/gospaces/internal/record"
)

// The life of an index: a demand for its shape, or a record of the log, starts it; it is built in steps by Work, beside whatever else happens; it is
// complete, and asked by queries from then on; and it is dropped when it is not asked any more, or for the sake of a better one. Which indexes the
// entries that all may have are found by is in the log and in images, so that neither a restart nor a successor has to learn it again.

// startIndex gives p an index of the given shape, which is about to be built.
func (p *pool) startIndex(e *Engine, sh shape) {
	if len(p.indexes) == maxIndexes {
		p.dropIndex(e, slices.MaxFunc(p.indexes, func(a, b *index) int { return a.idle - b.idle }))
	}
	p.note(e, record.Index, sh)
	p.addIndex(e, sh)
}

// addIndex is startIndex for what the log has decided.
func (p *pool) addIndex(e *Engine, sh shape) {
	ix := e.newIndex(p, sh)
	p.indexes = append(p.indexes, ix)
	if !ix.live() {
		e.building = append(e.building, ix)
	}
}

// dropIndex takes an index from p. Calls that are about to ask it look for another way.
func (p *pool) dropIndex(e *Engine, ix *index) {
	p.note(e, record.DropIndex, ix.shape)
	p.removeIndex(e, ix)
}

// removeIndex is dropIndex for what the log has decided.
func (p *pool) removeIndex(e *Engine, ix *index) {
	ix.dropped = true
	for _, x := range p.searches {
		x.stale = x.stale || slices.ContainsFunc(x.ways, func(w way) bool { return w.ix == ix })
	}
	p.indexes = slices.DeleteFunc(p.indexes, func(o *index) bool { return o == ix })
	e.building = slices.DeleteFunc(e.building, func(o *index) bool { return o == ix })
}

// note records what has become of an index, if the log is to know it: read locks, and what they are found by, end with the process.
func (p *pool) note(e *Engine, op record.Op, sh shape) {
	if p.state == free {
		e.change()
		e.Log = record.AppendIndex(e.Log, op, p.kind.id, appendShape(nil, sh))
	}
}

// tend drops the indexes that no call asks any more.
func (p *pool) tend(e *Engine) {
	for i := 0; i < len(p.indexes); i++ {
		if ix := p.indexes[i]; ix.live() && ix.idle > idleLimit+4*int(p.all.n) {
			p.dropIndex(e, ix)
			i--
		}
	}
}

// applyIndex takes over that a kind has an index, or has it no more.
func (e *Engine) applyIndex(r *record.Record) error {
	if r.Kind == 0 || int(r.Kind) > len(e.kinds) {
		return errKind
	}
	k := e.kinds[r.Kind-1]
	sh, ok := decodeShape(r.Body, len(k.schema.Fields))
	if !ok {
		return record.ErrCorrupt
	}
	ix := k.free.index(sh)
	switch {
	case r.Op == record.Index && ix == nil:
		k.free.addIndex(e, sh)
	case r.Op == record.DropIndex && ix != nil:
		k.free.removeIndex(e, ix)
	default:
		return errState
	}
	return nil
}

// Busy reports whether Work has something to do.
func (e *Engine) Busy() bool { return len(e.building) > 0 }

// Work does up to about budget units of the work that goes on beside calls, a unit being an entry looked at: it builds indexes. It changes nothing that
// anyone sees. Whoever owns the engine calls it, again and again while Busy, and lets calls pass in between.
func (e *Engine) Work(budget int) {
	for budget > 0 && len(e.building) > 0 {
		ix := e.building[0]
		budget -= ix.fill(budget)
		if ix.live() {
			e.building = slices.Delete(e.building, 0, 1)
		}
	}
}
