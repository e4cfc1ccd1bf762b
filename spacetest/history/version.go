package history

import (
	"fmt"
	"slices"
)

// mayHaveSeen reports whether o may have found the version of an item that w made.
func (c *checker) mayHaveSeen(o, w *Op, item Item) bool {
	u := c.of[w]
	undone := u.undone(w, item)
	if u == c.of[o] && u.txn != 0 {
		return w.Call <= o.Return && (undone == nil || undone.Return >= o.Call)
	}
	return u.fate != aborted && undone == nil && u.effect.from <= o.Return
}

// mustHaveSeen reports whether o cannot have found an older version than the one that w made.
func (c *checker) mustHaveSeen(o, w *Op, item Item) bool {
	u := c.of[w]
	undone := u.undone(w, item)
	if u == c.of[o] && u.txn != 0 {
		return w.Outcome == OK && w.Return < o.Call && (undone == nil || undone.Call > o.Return)
	}
	return u.fate == committed && c.happened(w) && undone == nil && u.effect.to < o.Call
}

// wrongVersion returns the rule that o breaks by finding version i of l, and the unit that proves it; "" if it may have
// found it.
func (c *checker) wrongVersion(o *Op, i Item, l *life) (Rule, *unit) {
	rule, why := Rule(""), (*unit)(nil)
	if i.V > 0 {
		rule = NeverWritten
	}
	for _, w := range l.updates {
		switch v := version(w, l.item); {
		case v > i.V && c.mustHaveSeen(o, w, l.item):
			return OutsideLife, c.of[w]
		case v != i.V || rule == "":
		case c.mayHaveSeen(o, w, l.item):
			rule, why = "", nil
		default:
			rule, why = Uncommitted, c.of[w]
		}
	}
	return rule, why
}

// version returns the version of item that w made.
func version(w *Op, item Item) int {
	return w.Items[slices.IndexFunc(w.Items, item.same)].V
}

// checkVersions looks for two updates of the same version.
func (c *checker) checkVersions(l *life) {
	byV := map[int]*Op{}
	for _, w := range l.updates {
		if u := c.of[w]; u.fate != committed || !c.happened(w) || u.undone(w, l.item) != nil {
			continue
		}
		v := version(w, l.item)
		if byV[v] != nil {
			c.violation(LostUpdate, fmt.Sprintf("version %d of %v", v, l.item), show(c.of[byV[v]], c.of[w])...)
		}
		byV[v] = w
	}
}

// checkEnding looks for transactions that did something after they had ended.
func (c *checker) checkEnding() {
	for _, u := range c.units {
		if u.txn == 0 {
			continue
		}
		var ended *Op
		over := Never
		for _, o := range u.ops {
			ends := (o.Verb == Commit || o.Verb == Abort) && o.Outcome == OK || o.Outcome == Ended
			if ends && o.Return < over {
				ended, over = o, o.Return
			}
		}
		for _, o := range u.ops {
			if o.Call > over && (o.Outcome == OK || o.Outcome == None) {
				c.violation(Reopened, u.name(), ended, o)
				break
			}
		}
	}
}
