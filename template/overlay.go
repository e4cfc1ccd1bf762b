package template

import "slices"

// structure returns the layout of the nested struct that c encodes, directly or by pointer; nil if c encodes something
// else.
func (c *coder) structure() *layout {
	for c.elem != nil {
		c = c.elem
	}
	return c.layout
}

// overlay appends the nested struct now, together with the fields of old that the Go type lacks, at every depth.
func (l *layout) overlay(dst []byte, old, now Value) ([]byte, error) {
	before := map[string]Value{}
	for k, v := range old.Pairs() {
		before[string(k)] = v
	}
	var pairs []pair
	add := func(k, v Value) { pairs = append(pairs, pair{k, appendValue(appendValue(nil, k), v)}) }
	for k, v := range now.Pairs() {
		if sub := l.member(k); sub != nil && v.Class() == Map && before[string(k)].Class() == Map {
			var err error
			if v, err = sub.overlay(nil, before[string(k)], v); err != nil {
				return dst, err
			}
		}
		add(k, v)
	}
	for k, v := range old.Pairs() {
		if !l.has(k) {
			add(k, v)
		}
	}
	return appendPairs(dst, pairs)
}

// has reports whether l has a member of the given name.
func (l *layout) has(name Value) bool {
	text, ok := name.Text()
	return ok && slices.ContainsFunc(l.members, func(m member) bool { return m.Name == text })
}

// member returns the layout of the named member if it is a nested struct; otherwise nil.
func (l *layout) member(name Value) *layout {
	text, _ := name.Text()
	i := slices.IndexFunc(l.members, func(m member) bool { return m.Name == text })
	if i < 0 {
		return nil
	}
	return l.members[i].coder.structure()
}
