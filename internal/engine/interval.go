package engine

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/gospaces/gospaces/template"
)

// crowd indexes the nodes of a crowded bucket by the values that their conditions on one field allow. An entry then
// meets only the nodes whose range contains its value: 100,000 calls may wait for a priority of at least 1, 2, 3 and so
// on. A node is filed by its narrowest condition. Nodes without a bounded field are in the lists of the bucket.
type crowd struct {
	fields []crowdField // at most maxCrowdFields
	filed  uint64       // number of nodes filed so far
}

type crowdField struct {
	field int
	roots [3]*interval // by class
}

const (
	// crowded is the number of nodes from which a bucket files new ones in a crowd.
	crowded = 64

	// maxCrowdFields limits the number of trees in which an entry is looked up.
	maxCrowdFields = 4
)

// interval is the range of values that a node allows a field, from lo to hi, both included; it may be too wide, and the
// node decides. Intervals form a treap ordered by lo, in which each subtree records its highest bound and its earliest
// call.
type interval struct {
	node   *node
	in     *crowdField
	lo, hi template.Value // nil: no bound
	seq    uint64         // orders intervals of equal lo
	order  uint64         // of the call, or number of the registration
	weight uint64

	left, right *interval
	top         template.Value // the highest hi of the subtree; nil: unbounded
	first       uint64         // the lowest order
}

// file adds n, unless none of its conditions bounds an indexable field.
func (c *crowd) file(n *node) bool {
	field, lo, hi := narrowest(n.conds)
	if field < 0 {
		return false
	}
	f := c.on(field)
	if f == nil {
		return false
	}
	c.filed++
	it := &interval{node: n, in: f, lo: lo, hi: hi, seq: c.filed, order: n.arrival(), weight: scatter(c.filed)}
	it.pull()
	n.interval = it
	root := &f.roots[n.class()]
	*root = (*root).insert(it)
	return true
}

// on returns the trees of a field; nil if the crowd has enough others.
func (c *crowd) on(field int) *crowdField {
	for i := range c.fields {
		if c.fields[i].field == field {
			return &c.fields[i]
		}
	}
	if len(c.fields) == maxCrowdFields {
		return nil
	}
	if c.fields == nil {
		c.fields = make([]crowdField, 0, maxCrowdFields) // allocated at once, since intervals point into it
	}
	c.fields = append(c.fields, crowdField{field: field})
	return &c.fields[len(c.fields)-1]
}

// unfile removes n, which was added by file.
func (c *crowd) unfile(n *node) {
	root := &n.interval.in.roots[n.class()]
	*root = (*root).remove(n.interval)
	n.interval = nil
}

// among appends the nodes of a class whose intervals contain the row's values.
func (c *crowd) among(dst []*node, class int, row template.Row, at []int) []*node {
	for i := range c.fields {
		if root := c.fields[i].roots[class]; root != nil {
			dst = root.around(dst, c.fields[i].value(row, at))
		}
	}
	return dst
}

// taker returns the earlier of best and the first call that waits to take the entry in slot s.
func (c *crowd) taker(k *kind, s slot, row template.Row, at []int, best *Waiter) *Waiter {
	for i := range c.fields {
		if root := c.fields[i].roots[taking]; root != nil {
			best = root.taker(c.fields[i].value(row, at), best,
				func(n *node) bool { return n.waits(k, s) && n.matches(row, at) })
		}
	}
	return best
}

func (f *crowdField) value(row template.Row, at []int) template.Value {
	if at != nil {
		return row.Field(at[f.field])
	}
	return row.Field(f.field)
}

// arrival is the position of a node in the order of its bucket.
func (n *node) arrival() uint64 {
	if n.listener != nil {
		return n.listener.id
	}
	return n.waiter.arrival
}

// narrowest returns the field that conds bound most closely, judged by their operators, and its bounds; -1 if they
// bound none.
func narrowest(conds []template.Cond) (field int, lo, hi template.Value) {
	field = -1
	bounds := 0
	for i := range conds {
		if f := conds[i].Field; f != field {
			if l, h, n := bound(conds, f); n > bounds {
				field, lo, hi, bounds = f, l, h, n
			}
		}
	}
	return field, lo, hi
}

// bound returns the bounds that conds set on a field, and their number.
func bound(conds []template.Cond, field int) (lo, hi template.Value, n int) {
	below, above := false, false
	for i := range conds {
		c := &conds[i]
		if c.Field != field {
			continue
		}
		l, h := c.Value, c.Value
		switch c.Op {
		case template.Ge, template.Gt:
			h = nil
		case template.Le, template.Lt:
			l = nil
		case template.Prefix:
			h = after255(c.Value)
		case template.In: // has at least one value
			l, h = slices.MinFunc(c.Values, compareValues), slices.MaxFunc(c.Values, compareValues)
		default:
			continue
		}
		if l != nil && (!below || bytes.Compare(l, lo) > 0) {
			lo, below = l, true
		}
		if h != nil && (!above || bytes.Compare(h, hi) < 0) {
			hi, above = h, true
		}
	}
	for _, there := range [...]bool{below, above} {
		if there {
			n++
		}
	}
	return lo, hi, n
}

func compareValues(a, b template.Value) int { return bytes.Compare(a, b) }

// after255 returns a value above all values with the prefix; nil if there is none.
func after255(prefix template.Value) template.Value {
	for n := len(prefix); n > 0; n-- {
		if prefix[n-1] != 0xff {
			end := slices.Clone(prefix[:n])
			end[n-1]++
			return end
		}
	}
	return nil
}

// scatter makes consecutive numbers look random, identically in every run.
func scatter(n uint64) uint64 {
	n ^= n >> 30
	n *= 0xbf58476d1ce4e5b9
	n ^= n >> 27
	n *= 0x94d049bb133111eb
	return n ^ n>>31
}

func (it *interval) compare(o *interval) int {
	return cmp.Or(bytes.Compare(it.lo, o.lo), cmp.Compare(it.seq, o.seq))
}

// pull recomputes top and first from the subtree.
func (it *interval) pull() {
	it.top, it.first = it.hi, it.order
	for _, sub := range [...]*interval{it.left, it.right} {
		if sub == nil {
			continue
		}
		if it.first = min(it.first, sub.first); it.top != nil && (sub.top == nil || bytes.Compare(sub.top, it.top) > 0) {
			it.top = sub.top
		}
	}
}

func (it *interval) insert(added *interval) *interval {
	switch {
	case it == nil:
		return added
	case added.weight > it.weight:
		added.left, added.right = it.split(added)
		added.pull()
		return added
	case added.compare(it) < 0:
		it.left = it.left.insert(added)
	default:
		it.right = it.right.insert(added)
	}
	it.pull()
	return it
}

// split returns the intervals before at, and those after it.
func (it *interval) split(at *interval) (before, after *interval) {
	if it == nil {
		return nil, nil
	}
	if it.compare(at) < 0 {
		it.right, after = it.right.split(at)
		it.pull()
		return it, after
	}
	before, it.left = it.left.split(at)
	it.pull()
	return before, it
}

func (it *interval) remove(gone *interval) *interval {
	switch {
	case it == gone:
		return it.left.merge(it.right)
	case gone.compare(it) < 0:
		it.left = it.left.remove(gone)
	default:
		it.right = it.right.remove(gone)
	}
	it.pull()
	return it
}

// merge returns the tree of it and after, whose intervals all come later.
func (it *interval) merge(after *interval) *interval {
	switch {
	case it == nil:
		return after
	case after == nil:
		return it
	case it.weight > after.weight:
		it.right = it.right.merge(after)
		it.pull()
		return it
	}
	after.left = it.merge(after.left)
	after.pull()
	return after
}

// reaches reports whether the subtree may have an interval that contains v.
func (it *interval) reaches(v template.Value) bool {
	return it != nil && (it.top == nil || bytes.Compare(v, it.top) <= 0)
}

func (it *interval) has(v template.Value) bool {
	return bytes.Compare(it.lo, v) <= 0 && (it.hi == nil || bytes.Compare(v, it.hi) <= 0)
}

// around appends the nodes whose intervals contain v.
func (it *interval) around(dst []*node, v template.Value) []*node {
	for it.reaches(v) {
		dst = it.left.around(dst, v)
		if bytes.Compare(it.lo, v) > 0 {
			break
		}
		if it.has(v) {
			dst = append(dst, it.node)
		}
		it = it.right
	}
	return dst
}

// taker returns the earlier of best and the first fitting call whose interval contains v.
func (it *interval) taker(v template.Value, best *Waiter, fits func(*node) bool) *Waiter {
	if !it.reaches(v) || best != nil && it.first >= best.arrival {
		return best
	}
	if w := it.node.waiter; it.has(v) && (best == nil || w.arrival < best.arrival) && fits(it.node) {
		best = w
	}
	subs := [...]*interval{it.left, it.right}
	if it.left == nil || it.right != nil && it.right.first < it.left.first {
		subs[0], subs[1] = subs[1], subs[0]
	}
	for _, sub := range subs {
		best = sub.taker(v, best, fits)
	}
	return best
}

// all appends the nodes of the subtree.
func (it *interval) all(dst []*node) []*node {
	if it == nil {
		return dst
	}
	return it.right.all(append(it.left.all(dst), it.node))
}
