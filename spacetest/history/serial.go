package history

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// node is a unit that took effect, or an instant, in the order implied by a history.
type node struct {
	unit  *unit // nil: an instant
	after []edge
	state int // 0: not visited yet, 1: on the path, 2: on no cycle
}

// edge leads to a later node.
type edge struct {
	to   *node
	item Item // the cause; zero: time has passed between them
}

// checkSerial looks for units that each precede the next in a cycle. A unit precedes another that found what it wrote,
// that took or changed what it found, or that began to take effect after it had ended. A transaction takes effect at
// its commit: until then its locks protect what it has found.
func (c *checker) checkSerial() {
	nodes := map[*unit]*node{}
	var order []*node
	for _, u := range c.units {
		if u.fate == committed {
			nodes[u] = &node{unit: u}
			order = append(order, nodes[u])
		}
	}
	for _, l := range c.lives {
		c.link(l, nodes)
	}
	linkByTime(order)
	for _, n := range order {
		if cycle := n.cycle(nil); cycle != nil {
			c.violation(NotSerializable, explainCycle(cycle), show(unitsOf(cycle)...)...)
			return
		}
	}
}

// link adds the edges between the units that concern one item.
func (c *checker) link(l *life, nodes map[*unit]*node) {
	add := func(a, b *unit) {
		if a != b && nodes[a] != nil && nodes[b] != nil {
			nodes[a].after = append(nodes[a].after, edge{nodes[b], l.item})
		}
	}
	makers := map[int]*unit{0: l.by}
	for _, w := range l.updates {
		if u := c.of[w]; u.fate == committed && c.happened(w) && u.undone(w, l.item) == nil {
			makers[version(w, l.item)] = u
		}
	}
	for _, f := range l.findings {
		u := c.of[f.op]
		if u.undone(f.op, l.item) != nil {
			continue
		}
		add(makers[f.item.V], u)
		add(u, makers[f.item.V+1])
		for _, k := range l.ends {
			if k.Verb == Take { // no lock protects an item from a cancel
				add(u, c.of[k])
			}
		}
	}
}

// linkByTime adds a node for each instant at which a unit ended, which precedes the next instant and the units that
// began in between. Every unit thus precedes all that began later, with few edges.
func linkByTime(order []*node) {
	type moment struct {
		at   time.Duration
		over bool
		node *node
	}
	var moments []moment
	for _, n := range order {
		moments = append(moments, moment{n.unit.effect.from, false, n}, moment{n.unit.effect.to, true, n})
	}
	slices.SortStableFunc(moments, func(a, b moment) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(btoi(a.over), btoi(b.over)))
	})
	var last *node
	for _, m := range moments {
		switch {
		case m.over:
			instant := &node{}
			m.node.after = append(m.node.after, edge{to: instant})
			if last != nil {
				last.after = append(last.after, edge{to: instant})
			}
			last = instant
		case last != nil:
			last.after = append(last.after, edge{to: m.node})
		}
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// cycle returns a path from n back to a node on path, or nil.
func (n *node) cycle(path []edge) []edge {
	n.state = 1
	for _, e := range n.after {
		switch e.to.state {
		case 0:
			if found := e.to.cycle(append(path, e)); found != nil {
				return found
			}
		case 1:
			path = append(path, e)
			for i := len(path) - 1; i > 0; i-- {
				if path[i-1].to == e.to {
					return path[i:]
				}
			}
			return path
		}
	}
	n.state = 2
	return nil
}

func unitsOf(cycle []edge) []*unit {
	var us []*unit
	for _, e := range cycle {
		if e.to.unit != nil {
			us = append(us, e.to.unit)
		}
	}
	return us
}

func explainCycle(cycle []edge) string {
	var b strings.Builder
	b.WriteString("each comes before the next, and the last before the first:")
	for _, e := range cycle {
		if e.to.unit == nil {
			continue
		}
		why := "time"
		if e.item != (Item{}) {
			why = fmt.Sprint("item ", e.item)
		}
		fmt.Fprintf(&b, "\n\t(%s) %s", why, e.to.unit.name())
	}
	return b.String()
}
