package history

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Rule is a promise that a history can break.
type Rule string

// The rules that Check knows, and the one of Linearizable.
const (
	TakenTwice      Rule = "an item is taken at most once"
	NeverWritten    Rule = "only what was written is found"
	OutsideLife     Rule = "an item is found only while it lives"
	WrongMatch      Rule = "what is found matches, each item once, and not more than asked for"
	OutOfOrder      Rule = "the oldest match is found first"
	NoneDespite     Rule = "no match is answered only if there is none"
	EarlyNone       Rule = "no match is answered only after the wait"
	WrongCount      Rule = "a count lies between what must and what can have been visible"
	Lost            Rule = "what was acknowledged stays until it is removed or expires"
	NotLinearizable Rule = "one order of all calls explains every answer"
)

// Violation says which rule a history breaks, and shows the calls that prove it.
type Violation struct {
	Rule   Rule
	Detail string
	Ops    []Op
}

func (v *Violation) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "violated: %s: %s", v.Rule, v.Detail)
	for _, o := range v.Ops {
		fmt.Fprintf(&b, "\n\t%v", o)
	}
	return b.String()
}

// Check returns nil, or the joined *Violations of a history. It judges the calls of every client together, so clients
// that talk to different spaces need a history each.
func Check(ops []Op) error {
	c := newChecker(ops)
	c.checkLost()
	for _, l := range c.lives {
		c.checkEnds(l)
	}
	for _, o := range c.ops {
		switch {
		case o.Outcome == OK && (o.Verb == Read || o.Verb == Take):
			c.checkFound(o)
		case o.Outcome == None && (o.Verb == Read || o.Verb == Take):
			c.checkNone(o)
		case o.Outcome == OK && o.Verb == Count:
			c.checkCount(o)
		}
	}
	return errors.Join(c.found...)
}

type checker struct {
	ops   []*Op
	byN   map[int]*life
	lives []*life         // by N
	byKey map[int][]*life // key 0: all
	found []error
	times map[Rule]int
}

func newChecker(ops []Op) *checker {
	c := &checker{ops: sorted(ops), byKey: map[int][]*life{}, times: map[Rule]int{}}
	c.byN = lives(c.ops)
	for _, l := range c.byN {
		c.lives = append(c.lives, l)
	}
	slices.SortFunc(c.lives, func(a, b *life) int { return cmp.Compare(a.item.N, b.item.N) })
	for _, l := range c.lives {
		c.byKey[l.item.Key] = append(c.byKey[l.item.Key], l)
	}
	c.byKey[0] = c.lives
	return c
}

// matching returns the lives that p may concern; the caller still has to match them.
func (c *checker) matching(p Pattern) []*life {
	if l := c.byN[p.N]; l != nil {
		return []*life{l}
	}
	return c.byKey[p.Key]
}

// enough violations are reported of each rule; the first ones tell most.
const enough = 5

func (c *checker) violation(rule Rule, detail string, ops ...*Op) {
	if c.times[rule]++; c.times[rule] > enough {
		return
	}
	v := &Violation{Rule: rule, Detail: detail}
	for _, o := range ops {
		if o != nil {
			v.Ops = append(v.Ops, *o)
		}
	}
	c.found = append(c.found, v)
}

func (c *checker) checkEnds(l *life) {
	if len(l.ends) > 1 {
		c.violation(TakenTwice, fmt.Sprint(l.item), append([]*Op{l.written}, l.ends...)...)
	}
}

// checkFound judges a read or take that found something.
func (c *checker) checkFound(o *Op) {
	if len(o.Items) == 0 || len(o.Items) > max(o.Max, 1) {
		c.violation(WrongMatch, fmt.Sprintf("%d items", len(o.Items)), o)
	}
	for n, i := range o.Items {
		l := c.byN[i.N]
		switch {
		case !o.Pattern.Match(i) || slices.Contains(o.Items[:n], i):
			c.violation(WrongMatch, fmt.Sprint(i), o)
		case l.written == nil || l.item != i:
			c.violation(NeverWritten, fmt.Sprint(i), o)
		case !l.maybeVisible(o.Call, o.Return):
			c.violation(OutsideLife, fmt.Sprint(i), append([]*Op{o, l.written}, l.ends...)...)
		default:
			c.checkOrder(o, n, l)
		}
	}
}

// checkOrder looks for an item that o should have found before its nth, which is l. The decision fell after l was written, so an
// item older than l counts unless it may have gone before o returned.
func (c *checker) checkOrder(o *Op, nth int, l *life) {
	for _, older := range c.matching(o.Pattern) {
		if older == l || older.lost || older.written == nil || !o.Pattern.Match(older.item) || !older.older(l) {
			continue
		}
		passed := !slices.Contains(o.Items, older.item) && min(older.diesAt, older.doubt) >= o.Return
		if passed || slices.Contains(o.Items[nth+1:], older.item) {
			c.violation(OutOfOrder, fmt.Sprintf("%v before %v", l.item, older.item), o, older.written, l.written)
			return
		}
	}
}

// checkNone judges a read or take that found nothing. Its decision fell at the end of its wait.
func (c *checker) checkNone(o *Op) {
	if o.Return-o.Call < o.Wait {
		c.violation(EarlyNone, fmt.Sprint("wait ", o.Wait), o)
	}
	for _, l := range c.matching(o.Pattern) {
		if !l.lost && o.Pattern.Match(l.item) && l.surelyVisible(o.Call+o.Wait, o.Return) {
			c.violation(NoneDespite, fmt.Sprint(l.item), o, l.written)
			return
		}
	}
}

func (c *checker) checkCount(o *Op) {
	must, can := 0, 0
	for _, l := range c.matching(o.Pattern) {
		if !o.Pattern.Match(l.item) {
			continue
		}
		if !l.lost && l.surelyVisible(o.Call, o.Return) {
			must++
		}
		if l.maybeVisible(o.Call, o.Return) {
			can++
		}
	}
	if o.Number < must || o.Number > can {
		c.violation(WrongCount, fmt.Sprintf("%d, not in [%d, %d]", o.Number, must, can), o)
	}
}
