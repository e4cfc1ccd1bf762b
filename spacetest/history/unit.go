package history

import (
	"fmt"
	"slices"
	"time"
)

// fate is the outcome of a unit.
type fate string

const (
	committed fate = "committed"
	aborted   fate = "aborted"
	undecided fate = "undecided" // the history does not show it
)

// unit is a set of calls that take effect together: a transaction, or a call outside of any.
type unit struct {
	txn    int   // 0: a single call
	ops    []*Op // by start
	fate   fate
	effect span          // when it took effect, if it did
	held   time.Duration // certainly held its locks until then
	freed  time.Duration // had certainly released its locks by then
}

// span is an interval of time.
type span struct{ from, to time.Duration }

// name identifies the unit in one line.
func (u *unit) name() string {
	if u.txn == 0 {
		return u.ops[0].String()
	}
	return fmt.Sprintf("transaction %d, %s in [%v, %v]", u.txn, u.fate, u.effect.from, u.effect.to)
}

// units returns the unit of every call, and all units by start. A crash belongs to no unit.
func units(ops []*Op) (map[*Op]*unit, []*unit) {
	of, all, txns := map[*Op]*unit{}, []*unit{}, map[int]*unit{}
	var crashes []*Op
	for _, o := range ops {
		if o.Verb == Crash {
			crashes = append(crashes, o)
			continue
		}
		u := txns[o.Txn]
		if u == nil {
			u = &unit{txn: o.Txn}
			all = append(all, u)
			if o.Txn != 0 {
				txns[o.Txn] = u
			}
		}
		u.ops = append(u.ops, o)
		of[o] = u
	}
	for _, u := range all {
		if u.txn == 0 {
			u.settleCall()
		} else {
			u.settleTxn(crashes)
		}
	}
	return of, all
}

// settleCall determines the fate of a call outside of transactions.
func (u *unit) settleCall() {
	o := u.ops[0]
	u.fate, u.effect, u.held, u.freed = committed, span{o.Call, o.latest}, o.Call, o.latest
	switch o.Outcome {
	case Refused:
		u.fate = aborted
	case Unknown:
		u.fate = undecided
	}
}

// settleTxn determines the fate of a transaction from the answers to its calls. The end of its lease shows nothing: the
// transaction need not end at that very instant.
func (u *unit) settleTxn(crashes []*Op) {
	u.fate, u.effect, u.freed = aborted, span{Never, 0}, Never
	for _, o := range u.ops {
		switch o.Outcome {
		case OK, None: // it was open
			u.held = max(u.held, o.Call)
		case Ended:
			u.freed = min(u.freed, o.Return)
		}
		if o.spoils() {
			u.freed = min(u.freed, crashed(crashes, o.Return))
		}
	}
	for _, o := range u.ops {
		switch {
		case o.Verb == Commit && o.Outcome == Unknown:
			u.fate, u.effect = undecided, span{min(u.effect.from, o.Call), max(u.effect.to, o.latest)}
		case o.Verb == Commit && o.Outcome == OK:
			u.fate, u.effect, u.held, u.freed = committed, span{o.Call, o.Return}, o.Call, o.Return
			return
		case o.Verb == Abort && o.Outcome == OK:
			u.fate, u.held, u.freed = aborted, min(o.Call, u.effect.from), o.Return // a failed commit may have ended it
			return
		}
	}
}

// heldBy returns until when u certainly held what o had locked.
func (u *unit) heldBy(o *Op) time.Duration {
	if !o.Scattered || u.fate == committed {
		return u.held
	}
	until := o.Call
	for _, other := range u.ops {
		if (other.Outcome == OK || other.Outcome == None) && other.key() == o.key() {
			until = max(until, other.Call)
		}
	}
	return min(until, u.held)
}

// key returns the key of a call that concerns one; 0 for other calls.
func (o *Op) key() int {
	if !o.looks() && len(o.Items) > 0 {
		return o.Items[0].Key
	}
	return o.Pattern.Key
}

// spoils reports whether o is more than a take, so that its transaction does not survive a crash.
func (o *Op) spoils() bool {
	return o.Outcome == OK && (o.Verb == Read || o.Verb == Write || o.Verb == Update)
}

// undone returns the rollback that undid o, or nil: the first of its transaction that began after o had ended, unless
// it kept o's takes of item.
func (u *unit) undone(o *Op, item Item) *Op {
	for _, r := range u.ops {
		kept := o.Verb == Take && slices.ContainsFunc(r.Items, item.same)
		if r.Verb == Rollback && r.Outcome == OK && r.Call >= o.Return && !kept {
			return r
		}
	}
	return nil
}

// show returns the calls of units, for a report.
func show(us ...*unit) []*Op {
	var ops []*Op
	for _, u := range us {
		if u != nil {
			ops = append(ops, u.ops...)
		}
	}
	return ops
}
