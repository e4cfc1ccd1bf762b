package engine

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/template"
)

// nowhere is the kind of a named template that matches no entry under the current schemas.
const nowhere call.KindID = math.MaxUint32

// selected returns the kind that a template selects, which includes the kinds that embed it.
func (e *Engine) selected(id call.KindID) *kind {
	if id == nowhere {
		return e.nowhere
	}
	return e.kinds[id-1]
}

// bind resolves kind and conditions of t, a named template, and the ordering of q, against the current schema. It
// returns ErrInvalidArgument, and ErrSchemaConflict if the kind has a field with another class.
func (e *Engine) bind(q *call.Query, t *call.Template) error {
	n := t.Named
	t.Kind, t.Conds, q.Order = nowhere, nil, nil
	if err := template.CheckNamed(&n.Template, n.Order); err != nil {
		return fmt.Errorf("%w: %w", call.ErrInvalidArgument, err)
	}
	id := e.byName[n.Kind]
	if id == 0 {
		return nil
	}
	b, err := e.kinds[id-1].schema.Rebind(n.Fields, n.Conds, n.Order)
	if err == nil && !b.Never {
		t.Kind, t.Conds, q.Order = id, b.Conds, b.Order
	}
	return err
}

// bindListener is bind for a registration. A registration that contradicts the schema has no caller to get the error:
// it matches nothing meanwhile. Only the fields of its conditions count.
func (e *Engine) bindListener(t *call.Template) {
	n := t.Named
	t.Kind, t.Conds = nowhere, nil
	id := e.byName[n.Kind]
	if id == 0 {
		return
	}
	if b, err := e.kinds[id-1].schema.RebindNamed(n.Fields, n.Conds, nil); err == nil && !b.Never {
		t.Kind, t.Conds = id, b.Conds
	}
}

// byName is an index of the templates of waiting calls and registrations that name their kinds.
type byName map[string]map[*node]struct{}

func (ns byName) add(n *node) {
	kind := n.template.Named.Kind
	if ns[kind] == nil {
		ns[kind] = map[*node]struct{}{}
	}
	ns[kind][n] = struct{}{}
}

func (ns byName) remove(n *node) {
	kind := n.template.Named.Kind
	if delete(ns[kind], n); len(ns[kind]) == 0 {
		delete(ns, kind)
	}
}

// unbind replaces the number of k by its name, and field positions by names, in the templates that use k, because k is
// about to get other classes or be dropped.
func (e *Engine) unbind(k *kind) {
	for _, g := range k.watch.groups {
		for _, b := range g.buckets {
			for class := range b.of {
				for _, n := range b.all(class) {
					if n.template.Named == nil {
						if n.listener != nil {
							e.keepRegistration(n.listener)
						}
						n.template.Named = &call.Named{
							Template: template.Template{Kind: k.schema.Kind, Conds: n.conds, Fields: k.schema.Fields}, Order: n.order(),
						}
						e.named.add(n)
					}
				}
			}
		}
	}
}

// order returns the ordering of n's query.
func (n *node) order() []template.Order {
	if n.waiter == nil {
		return nil
	}
	return n.waiter.Query.Order
}

// rebind resolves the templates that name a kind again after a change of its schema. A waiting call that contradicts
// the new schema ends with the error that it would get if it were made now.
func (e *Engine) rebind(name string) {
	if len(e.named[name]) == 0 {
		return
	}
	var waiters []*Waiter
	var listeners []*registration
	for n := range e.named[name] {
		if n.waiter != nil {
			waiters = append(waiters, n.waiter)
		} else {
			listeners = append(listeners, n.listener)
		}
	}
	slices.SortFunc(waiters, func(a, b *Waiter) int { return cmp.Compare(a.arrival, b.arrival) })
	for _, w := range slices.Compact(waiters) {
		if err := e.Check(w.Query); err != nil {
			e.end(w, err)
			continue
		}
		e.unfileAll(w.nodes)
		e.fileAll(w.nodes, w.Query, w, nil)
	}
	slices.SortFunc(listeners, func(a, b *registration) int { return cmp.Compare(a.id, b.id) })
	for _, r := range slices.Compact(listeners) {
		e.keepRegistration(r)
		e.unfileAll(r.nodes)
		e.bindListeners(r.query)
		e.fileAll(r.nodes, r.query, nil, r)
	}
}

// bindListeners binds all named templates of a registration.
func (e *Engine) bindListeners(q *call.Query) {
	for i := range q.Templates {
		if q.Templates[i].Named != nil {
			e.bindListener(&q.Templates[i])
		}
	}
}
