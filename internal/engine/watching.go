package engine

import "github.com/gospaces/gospaces/internal/call"

// Watching describes a registration; it returns false if the registration does not exist.
func (e *Engine) Watching(id uint64) (w call.Watching, ok bool) {
	r := e.registrations[id]
	if r == nil || r.expires <= e.now {
		return w, false
	}
	w = call.Watching{ID: id, On: r.on, Left: e.granted(r.expires), Seq: r.seq}
	for i := range r.query.Templates {
		w.Kinds = append(w.Kinds, e.kindName(&r.query.Templates[i]))
	}
	return w, true
}

// kindName returns the name of the kind of a template, which need not exist; "" for every kind.
func (e *Engine) kindName(t *call.Template) string {
	switch {
	case t.Named != nil:
		return t.Named.Kind
	case t.Kind == 0:
		return ""
	}
	return e.kinds[t.Kind-1].schema.Kind
}
