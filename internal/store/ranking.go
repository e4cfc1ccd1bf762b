package store

import "github.com/gospaces/gospaces/template"

// Ranking yields the entries of a section of an index by rank, the best first. Each step costs the height of the tree,
// regardless of the size of the section. The index must not change meanwhile.
type Ranking struct {
	section section
	begun   bool
	queue   []part // a heap, once a second entry is asked for
	first   treeItem
}

// part is an entry, or all entries below a node, with the best of them.
type part struct {
	best treeItem
	all  *treeNode // nil: only the entry
}

// Ranking returns the ranking of the entries within the bounds of conds. All matches are among them. The index must be
// live and serve a range beside its order.
func (ix *Index) Ranking(conds []template.Cond) *Ranking {
	ix.idle = 0
	return &Ranking{section: ix.keep.(*ordered).section(conds)}
}

// Next returns the next entry, or 0.
func (r *Ranking) Next() Slot {
	root := r.section.o.tree.root
	switch {
	case root == nil:
		return 0
	case !r.begun:
		r.begun = true
		root.parts(r.section.begun, r.section.over, func(best *treeItem, _ *treeNode) {
			if r.first.slot == 0 || r.section.o.better(best, &r.first) {
				r.first = *best
			}
		})
		return r.first.slot
	case r.first.slot == 0:
		return 0
	case r.queue == nil:
		root.parts(r.section.begun, r.section.over, r.push)
		r.pop() // the first
	}
	return r.pop()
}

// pop removes and returns the best entry in the queue; 0 if the queue is empty.
func (r *Ranking) pop() Slot {
	for len(r.queue) > 0 {
		p := r.take()
		switch {
		case p.all == nil:
			return p.best.slot
		case p.all.kids == nil:
			for i := range p.all.items {
				r.push(&p.all.items[i], nil)
			}
		default:
			for i := range p.all.kids {
				r.push(&p.all.best[i], p.all.kids[i])
			}
		}
	}
	return 0
}

func (r *Ranking) push(best *treeItem, all *treeNode) {
	r.queue = append(r.queue, part{*best, all})
	q := r.queue
	for i := len(q) - 1; i > 0; {
		up := (i - 1) / 2
		if !r.section.o.better(&q[i].best, &q[up].best) {
			break
		}
		q[i], q[up] = q[up], q[i]
		i = up
	}
}

// take removes and returns the best part in the queue.
func (r *Ranking) take() part {
	q := r.queue
	first, last := q[0], len(q)-1
	q[0] = q[last]
	q = q[:last]
	r.queue = q
	for i := 0; ; {
		down := 2*i + 1
		if down >= last {
			return first
		}
		if down+1 < last && r.section.o.better(&q[down+1].best, &q[down].best) {
			down++
		}
		if !r.section.o.better(&q[down].best, &q[i].best) {
			return first
		}
		q[i], q[down] = q[down], q[i]
		i = down
	}
}
