package engine

// LastOrder returns the place of the youngest entry in the order of all that have ever become visible; it grows.
func (e *Engine) LastOrder() uint64 { return e.lastOrder }

// OldestFree calls fn for each kind that has free entries, with the place of the oldest in the order of all entries.
func (e *Engine) OldestFree(fn func(kind string, order uint64)) {
	for _, k := range e.kinds {
		if s := k.Free.Oldest(); s != 0 {
			fn(k.schema.Kind, k.At(s).Order)
		}
	}
}
