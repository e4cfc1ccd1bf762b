package engine

// Watching is what a registration is for.
type Watching struct {
	ID    uint64
	On    EventSet
	Left  int64    // of its lease, in nanoseconds; Forever
	Seq   uint64   // number of its last event
	Kinds []string // of its templates, "" for every kind
}

// Watching returns what a registration that has not ended is for; false if there is none.
func (e *Engine) Watching(id uint64) (w Watching, ok bool) {
	r := e.registrations[id]
	if r == nil || r.expires <= e.now {
		return w, false
	}
	w = Watching{ID: id, On: r.on, Left: e.granted(r.expires), Seq: r.seq}
	for i := range r.query.Templates {
		w.Kinds = append(w.Kinds, e.kindName(&r.query.Templates[i]))
	}
	return w, true
}

// kindName returns the kind that a template names, which need not exist; "" for every kind.
func (e *Engine) kindName(t *Template) string {
	switch {
	case t.Named != nil:
		return t.Named.Kind
	case t.Kind == 0:
		return ""
	}
	return e.kinds[t.Kind-1].schema.Kind
}
