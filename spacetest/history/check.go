package history

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Rule is a promise that a history can break.
type Rule string

// The rules of Check, and that of Linearizable.
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
	Uncommitted     Rule = "what a transaction writes is seen by others once it is committed, and never if it is not"
	Unlocked        Rule = "what a transaction has locked stays locked until it ends"
	Half            Rule = "a transaction happens as a whole or not at all"
	LostUpdate      Rule = "a version of an item is followed by one other"
	Reopened        Rule = "a transaction that has ended stays ended"
	NotSerializable Rule = "one order of all transactions explains what they found"
	NotLinearizable Rule = "one order of all calls explains every answer"
)

// Violation names the rule that a history breaks, and shows the calls that prove it.
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

// Check returns nil, or the joined *Violations of a history. It judges the calls of all clients together, so clients of
// different spaces need a history each.
func Check(ops []Op) error {
	c := newChecker(ops)
	c.checkLost()
	for _, l := range c.lives {
		c.checkEnds(l)
		c.checkVersions(l)
	}
	for _, o := range c.ops {
		switch {
		case o.Outcome == OK && (o.Verb == Read || o.Verb == Take || o.Verb == Update):
			c.checkFound(o)
		case o.Outcome == None && (o.Verb == Read || o.Verb == Take):
			c.checkNone(o)
		case o.Outcome == OK && o.Verb == Count:
			c.checkCount(o)
		}
	}
	c.checkEnding()
	c.checkSerial()
	return errors.Join(c.found...)
}

type checker struct {
	ops     []*Op
	unknown []*Op // of unknown outcome
	of      map[*Op]*unit
	units   []*unit
	byN     map[int]*life
	lives   []*life         // by N
	byKey   map[int][]*life // key 0: all
	found   []error
	times   map[Rule]int
}

func newChecker(ops []Op) *checker {
	c := &checker{ops: prepare(ops), times: map[Rule]int{}}
	for _, o := range c.ops {
		if o.Outcome == Unknown {
			c.unknown = append(c.unknown, o)
		}
	}
	c.of, c.units = units(c.ops)
	c.resolve()
	return c
}

func (c *checker) sortLives() {
	c.lives, c.byKey = nil, map[int][]*life{}
	for _, l := range c.byN {
		c.lives = append(c.lives, l)
	}
	slices.SortFunc(c.lives, func(a, b *life) int { return cmp.Compare(a.item.N, b.item.N) })
	for _, l := range c.lives {
		c.byKey[l.item.Key] = append(c.byKey[l.item.Key], l)
	}
	c.byKey[0] = c.lives
}

// matching returns the lives that may match p; the caller must still match them.
func (c *checker) matching(p Pattern) []*life {
	if l := c.byN[p.N]; l != nil {
		return []*life{l}
	}
	return c.byKey[p.Key]
}

// enough is the number of violations reported for each rule.
const enough = 5

func (c *checker) violation(rule Rule, detail string, ops ...*Op) {
	if c.times[rule]++; c.times[rule] > enough {
		return
	}
	v := &Violation{Rule: rule, Detail: detail}
	for i, o := range ops {
		if o != nil && !slices.Contains(ops[:i], o) {
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

// checkFound judges a call that found something.
func (c *checker) checkFound(o *Op) {
	if len(o.Items) == 0 || len(o.Items) > max(o.Max, 1) {
		c.violation(WrongMatch, fmt.Sprintf("%d items", len(o.Items)), o)
	}
	for n, i := range o.Items {
		l := c.byN[i.N]
		switch {
		case !o.Pattern.Match(i) || slices.ContainsFunc(o.Items[:n], i.same):
			c.violation(WrongMatch, fmt.Sprint(i), o)
		case l.written == nil || !l.item.same(i):
			c.violation(NeverWritten, fmt.Sprint(i), o)
		default:
			c.checkHad(o, i, l)
			if o.Verb != Update {
				c.checkOrder(o, n, l)
			}
		}
	}
}

// checkHad judges a call that had item i, whose life is l.
func (c *checker) checkHad(o *Op, i Item, l *life) {
	u := c.of[o]
	if h := l.denied(u, o.Verb != Read, o.Call, o.Return); h != nil {
		rule := OutsideLife
		switch {
		case h.lock && h.op == l.written:
			rule = Uncommitted
		case h.lock:
			rule = Unlocked
		}
		c.violation(rule, fmt.Sprint(i), append([]*Op{o}, show(l.by, h.by)...)...)
		return
	}
	if o.Verb == Update {
		i.V--
	}
	if rule, why := c.wrongVersion(o, i, l); rule != "" {
		c.violation(rule, fmt.Sprintf("version %d of %v", i.V, l.item), append([]*Op{o, l.written}, show(why)...)...)
	}
}

// checkOrder looks for an item that o should have found before its nth, which is l. The decision was made after l was
// written, so an item older than l counts unless it may have gone before o returned.
func (c *checker) checkOrder(o *Op, nth int, l *life) {
	u := c.of[o]
	for _, older := range c.matching(o.Pattern) {
		if older == l || older.lost || older.written == nil || !o.Pattern.Match(older.item) || !older.older(l, u) {
			continue
		}
		passed := !slices.ContainsFunc(o.Items, older.item.same) &&
			older.surelyFree(u, o.Verb == Take, c.since(o, l), o.Return)
		if passed || slices.ContainsFunc(o.Items[nth+1:], older.item.same) {
			c.violation(OutOfOrder, fmt.Sprintf("%v before %v", l.item, older.item),
				append([]*Op{o}, show(older.by, l.by)...)...)
			return
		}
	}
}

// since returns the time from which o can have found l.
func (c *checker) since(o *Op, l *life) time.Duration {
	s, _ := l.appears(c.of[o])
	return max(o.Call, s.from)
}

// decides returns the earliest time at which a call that found nothing can have ended its wait.
func (o *Op) decides() time.Duration {
	if o.IfExists {
		return o.Call
	}
	return o.Call + o.Wait
}

// checkNone judges a read or take that found nothing.
func (c *checker) checkNone(o *Op) {
	u, take := c.of[o], o.Verb == Take
	early := o.Return-o.Call < o.Wait
	if early && !o.IfExists {
		c.violation(EarlyNone, fmt.Sprint("wait ", o.Wait), o)
	}
	for _, l := range c.matching(o.Pattern) {
		switch {
		case l.lost || !o.Pattern.Match(l.item):
		case l.surelyFree(u, take, o.decides(), o.Return):
			c.violation(NoneDespite, fmt.Sprint(l.item), append([]*Op{o}, show(l.by)...)...)
			return
		case early && o.IfExists && l.surelyLocked(u, take, o.Call, o.Return):
			c.violation(EarlyNone, fmt.Sprintf("%v was locked", l.item), append([]*Op{o}, show(l.by)...)...)
			return
		}
	}
}

func (c *checker) checkCount(o *Op) {
	u, must, can := c.of[o], 0, 0
	for _, l := range c.matching(o.Pattern) {
		if l.written == nil || !o.Pattern.Match(l.item) {
			continue
		}
		if !l.lost && l.surelyFree(u, false, o.Call, o.Return) {
			must++
		}
		if l.denied(u, false, o.Call, o.Return) == nil {
			can++
		}
	}
	if o.Number < must || o.Number > can {
		c.violation(WrongCount, fmt.Sprintf("%d, not in [%d, %d]", o.Number, must, can), o)
	}
}
