package store

import "slices"

// fanout is the maximum number of items in a node.
const fanout = 64

// tree is a B-tree of entries. If better is set, each inner node also has the best entry below each of its children:
// the best entry between two places is found without visiting the others.
type tree struct {
	root   *treeNode
	less   func(a, b *treeItem) bool
	better func(a, b *treeItem) bool // nil: no entry is better than another
}

// treeItem stands for an entry, with enough of its fields that comparisons rarely read the row.
type treeItem struct {
	group    uint64 // hash of the fixed fields
	hint     uint64 // prefix of the first field of the order
	rank     uint64 // prefix of the first field of the rank
	order    uint64
	slot     Slot
	size     uint8 // of the field that hint is from; see prefix
	rankSize uint8
}

// treeNode is a leaf with entries, or an inner node.
type treeNode struct {
	items []treeItem  // entries of a leaf; of an inner node the first entry below each child
	best  []treeItem  // the best entry below each child, if the tree has better
	kids  []*treeNode // nil: a leaf
}

// firstPast returns the index of the first item for which past is true. past must be true for all later items as well.
func firstPast(items []treeItem, past func(*treeItem) bool) int {
	lo, hi := 0, len(items)
	for lo < hi {
		if mid := (lo + hi) / 2; past(&items[mid]) {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo
}

// place returns the index of it among the items, or of the child that holds it.
func (t *tree) place(n *treeNode, it *treeItem) int {
	i := firstPast(n.items, func(o *treeItem) bool { return !t.less(o, it) })
	if n.kids != nil && i > 0 && (i == len(n.items) || t.less(it, &n.items[i])) {
		return i - 1
	}
	return i
}

func (t *tree) insert(it treeItem) {
	if t.root == nil {
		t.root = &treeNode{}
	}
	if right := t.put(t.root, &it); right != nil {
		left := t.root
		t.root = &treeNode{}
		t.adopt(t.root, 0, left)
		t.adopt(t.root, 1, right)
	}
}

// put inserts it below n. If n overflows, put returns a new node with the upper part.
func (t *tree) put(n *treeNode, it *treeItem) (right *treeNode) {
	i := t.place(n, it)
	last := i == len(n.items)
	if n.kids == nil {
		n.items = slices.Insert(n.items, i, *it)
	} else {
		last = i == len(n.items)-1
		if kid := t.put(n.kids[i], it); kid != nil {
			t.refresh(n, i)
			t.adopt(n, i+1, kid)
		} else {
			n.items[i] = n.kids[i].items[0]
			if t.better != nil && t.better(it, &n.best[i]) {
				n.best[i] = *it
			}
		}
	}
	if len(n.items) <= fanout {
		return nil
	}
	at := fanout / 2
	if last { // sequential insertion leaves full nodes
		at = fanout
	}
	return n.split(at)
}

// split moves the part of n from index at on to a new node, and returns it.
func (n *treeNode) split(at int) (right *treeNode) {
	right = &treeNode{items: slices.Clone(n.items[at:])}
	n.items = n.items[:at]
	if n.kids != nil {
		right.kids = slices.Clone(n.kids[at:])
		clear(n.kids[at:])
		n.kids = n.kids[:at]
	}
	if n.best != nil {
		right.best = slices.Clone(n.best[at:])
		n.best = n.best[:at]
	}
	return right
}

// adopt makes kid the child of n at index i.
func (t *tree) adopt(n *treeNode, i int, kid *treeNode) {
	n.items = slices.Insert(n.items, i, kid.items[0])
	n.kids = slices.Insert(n.kids, i, kid)
	if t.better != nil {
		n.best = slices.Insert(n.best, i, *t.bestOf(kid))
	}
}

// refresh updates what n records of its child at index i.
func (t *tree) refresh(n *treeNode, i int) {
	n.items[i] = n.kids[i].items[0]
	if t.better != nil {
		n.best[i] = *t.bestOf(n.kids[i])
	}
}

// bestOf returns the best entry below n.
func (t *tree) bestOf(n *treeNode) *treeItem {
	items := n.items
	if n.kids != nil {
		items = n.best
	}
	best := &items[0]
	for i := 1; i < len(items); i++ {
		if t.better(&items[i], best) {
			best = &items[i]
		}
	}
	return best
}

// remove removes an item if it is in the tree.
func (t *tree) remove(it treeItem) {
	if t.root == nil {
		return
	}
	t.drop(t.root, &it)
	for t.root != nil && len(t.root.items) <= 1 {
		switch {
		case len(t.root.items) == 0:
			t.root = nil
		case t.root.kids == nil:
			return
		default:
			t.root = t.root.kids[0]
		}
	}
}

func (t *tree) drop(n *treeNode, it *treeItem) {
	i := t.place(n, it)
	switch {
	case n.kids == nil && i < len(n.items) && n.items[i].slot == it.slot:
		n.items = slices.Delete(n.items, i, i+1)
	case n.kids == nil || i == len(n.items):
	default:
		t.drop(n.kids[i], it)
		if kid := n.kids[i]; len(kid.items) > 0 {
			n.items[i] = kid.items[0]
			if t.better != nil && n.best[i].slot == it.slot {
				n.best[i] = *t.bestOf(kid)
			}
		}
		t.join(n, i)
	}
}

// join merges the child of n at index i with a neighbour if it has become small, and forgets it if it is empty.
func (t *tree) join(n *treeNode, i int) {
	if len(n.kids[i].items) == 0 {
		n.forget(i)
		return
	}
	if len(n.kids[i].items) > fanout/4 || len(n.kids) == 1 {
		return
	}
	if i > 0 {
		i--
	}
	left, right := n.kids[i], n.kids[i+1]
	if len(left.items)+len(right.items) > fanout*3/4 {
		return
	}
	left.items = append(left.items, right.items...)
	left.best = append(left.best, right.best...)
	left.kids = append(left.kids, right.kids...)
	n.forget(i + 1)
	t.refresh(n, i)
}

// forget removes a child from n.
func (n *treeNode) forget(i int) {
	n.items = slices.Delete(n.items, i, i+1)
	n.kids = slices.Delete(n.kids, i, i+1)
	if n.best != nil {
		n.best = slices.Delete(n.best, i, i+1)
	}
}

// ascend calls f with the entries below n in order, from the first one past start on, until f returns false. A nil
// start is before all.
func (n *treeNode) ascend(start func(*treeItem) bool, f func(*treeItem) bool) bool {
	i := 0
	if start != nil {
		i = firstPast(n.items, start)
	}
	if n.kids == nil {
		for ; i < len(n.items); i++ {
			if !f(&n.items[i]) {
				return false
			}
		}
		return true
	}
	if i > 0 && !n.kids[i-1].ascend(start, f) {
		return false
	}
	for ; i < len(n.kids); i++ {
		if !n.kids[i].ascend(nil, f) {
			return false
		}
	}
	return true
}

// parts calls f with the largest parts of n whose entries are all past start and not past end: single entries, or all
// entries below a node, with the best of them. A nil start is before all entries, a nil end after all.
func (n *treeNode) parts(start, end func(*treeItem) bool, f func(best *treeItem, all *treeNode)) {
	i, j := 0, len(n.items)
	if start != nil {
		i = firstPast(n.items, start)
	}
	if end != nil {
		j = firstPast(n.items, end)
	}
	if n.kids == nil {
		for ; i < j; i++ {
			f(&n.items[i], nil)
		}
		return
	}
	for k := max(i-1, 0); k < j; k++ {
		from, to := start, end
		if k >= i {
			from = nil
		}
		if k < j-1 {
			to = nil
		}
		if from == nil && to == nil {
			f(&n.best[k], n.kids[k])
		} else {
			n.kids[k].parts(from, to, f)
		}
	}
}
