package history

import (
	"math/rand/v2"
	"slices"
	"time"
)

// simulation is a correct sequential space under random calls, some of them under transactions.
type simulation struct {
	model
	state state
	rng   *rand.Rand
	ops   []Op
	open  []int // transactions
	next  int   // number of the next item or transaction
}

// simulate runs n random calls one after the other, at times 10, 20, …, each with a duration around its time. Calls
// of one transaction do not overlap.
func simulate(rng *rand.Rand, n int, txns bool) []Op {
	s := &simulation{model: model{items: map[int]Item{}}, rng: rng, next: 1}
	for i := range n {
		now := time.Duration(10 * (i + 1))
		op := Op{Client: i, Call: now - time.Duration(rng.IntN(25)), Return: now + time.Duration(rng.IntN(25)), Outcome: OK}
		if txns && rng.IntN(3) > 0 {
			op.Txn = s.txn()
			op.Call, op.Return = now-1, now+1
		}
		s.call(&op)
		s.ops = append(s.ops, op)
	}
	return s.ops
}

// txn returns an open transaction, possibly a new one.
func (s *simulation) txn() int {
	if len(s.open) == 0 || s.rng.IntN(8) == 0 {
		s.open = append(s.open, s.number())
	}
	return s.open[s.rng.IntN(len(s.open))]
}

func (s *simulation) number() int {
	s.next++
	return s.next
}

// call sets the verb and the outcome of op.
func (s *simulation) call(op *Op) {
	op.Pattern = Pattern{Key: 1 + s.rng.IntN(2), Color: s.rng.IntN(3)}
	switch s.rng.IntN(8) {
	case 0, 1:
		item := Item{Key: op.Pattern.Key, Color: 1 + s.rng.IntN(2), N: s.number()}
		s.items[item.N] = item
		op.Verb, op.Pattern, op.Items = Write, Pattern{}, []Item{item}
	case 2:
		op.Verb = Count
		items, drafts := s.visible(&s.state, op, false)
		op.Number = len(items) + len(drafts)
	case 3, 4:
		s.find(op, Read)
	case 5:
		if s.update(op) {
			return
		}
		s.find(op, Take)
	case 6:
		if op.Txn != 0 {
			s.end(op)
			break
		}
		s.find(op, Take)
	default:
		s.find(op, Take)
	}
	if !s.step(&s.state, op) {
		panic("the simulation breaks its own rules")
	}
}

func (s *simulation) find(op *Op, verb Verb) {
	op.Verb, op.Max = verb, 1+s.rng.IntN(3)
	items, drafts := s.visible(&s.state, op, verb == Take)
	op.Items = slices.Concat(items, drafts)
	op.Items = op.Items[:min(op.Max, len(op.Items))]
	op.Outcome = found(op.Items)
}

// update changes an item, if it has seen one that it may change.
func (s *simulation) update(op *Op) bool {
	items, _ := s.visible(&s.state, op, true)
	if len(items) == 0 {
		return false
	}
	items[0].V++
	op.Verb, op.Items, op.Pattern = Update, items[:1], Pattern{}
	return s.step(&s.state, op)
}

// end commits, aborts or rolls back the transaction of op.
func (s *simulation) end(op *Op) {
	op.Verb, op.Pattern = []Verb{Commit, Commit, Abort, Rollback}[s.rng.IntN(4)], Pattern{}
	if op.Verb != Rollback {
		s.open = slices.DeleteFunc(s.open, func(n int) bool { return n == op.Txn })
	}
}
