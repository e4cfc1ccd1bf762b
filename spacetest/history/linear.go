package history

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

// Linearizable looks for one order of all calls, each between its call and its return, in which a queue per template
// gives every answer of the history. It returns a *Violation if there is none, and whether the search finished within
// limit.
//
// Calls whose patterns name a key are judged key by key, which keeps the search short; one pattern without a key, or a
// transaction over several keys, makes it one search over everything.
//
// Calls of transactions are also judged one by one: each by what its transaction and others have locked, taken and
// written at that moment.
func Linearizable(ops []Op, limit time.Duration) (complete bool, err error) {
	all := prepare(ops)
	m := model{items: map[int]Item{}}
	m.units, _ = units(all)
	for _, part := range partitions(all) {
		history := m.operations(part)
		switch result, info := porcupine.CheckOperationsVerbose(m.porcupine(), history, limit); result {
		case porcupine.Unknown:
			return false, nil
		case porcupine.Illegal:
			return true, &Violation{Rule: NotLinearizable, Detail: explainPartial(part, history, info)}
		}
	}
	return true, nil
}

// partitions splits a history by key.
func partitions(ops []*Op) [][]*Op {
	key := keys(ops)
	if key == nil {
		return [][]*Op{ops}
	}
	byKey := map[int][]*Op{}
	for _, o := range ops {
		byKey[key(o)] = append(byKey[key(o)], o)
	}
	var parts [][]*Op
	for k, part := range byKey {
		if k != 0 {
			parts = append(parts, part)
		}
	}
	return parts
}

// keys returns a function that returns the key of a call and its transaction, 0 for none; or nil if one spans several
// keys.
func keys(ops []*Op) func(o *Op) int {
	one := map[int]int{} // by transaction
	for _, o := range ops {
		ks := []int{o.Pattern.Key}
		for _, i := range o.Items {
			ks = append(ks, i.Key)
		}
		if !o.looks() {
			ks = ks[1:]
		}
		for _, k := range ks {
			if k == 0 || k != ks[0] || o.Txn != 0 && one[o.Txn] != 0 && one[o.Txn] != k {
				return nil
			}
			if o.Txn != 0 {
				one[o.Txn] = k
			}
		}
	}
	return func(o *Op) int {
		switch {
		case o.Txn != 0:
			return one[o.Txn]
		case o.looks():
			return o.Pattern.Key
		case len(o.Items) > 0:
			return o.Items[0].Key
		}
		return 0
	}
}

// The model adds calls to those of a history: the end of a lease, and the end of a transaction other than by a call,
// each at some instant in its possible span.
const (
	expire Verb = "expire"
	lapse  Verb = "lapse"
)

// model is the sequential tuple space.
type model struct {
	units map[*Op]*unit
	items map[int]Item // by N
}

// operations translates part of a history: it drops calls without any effect, turns the ends of leases and transactions
// and the writes of a commit into calls, and splits a bulk take of unknown outcome into single takes, which together
// can have the same effects.
func (m *model) operations(part []*Op) []porcupine.Operation {
	var out []porcupine.Operation
	add := func(o *Op, from, to time.Duration) {
		out = append(out, porcupine.Operation{ClientId: o.Client, Input: o, Call: int64(from), Return: int64(to)})
	}
	for _, o := range part {
		switch {
		case o.Verb == Crash, o.Verb == Begin, o.Outcome == Refused,
			o.Outcome == Unknown && (o.Verb == Count || o.Verb == Read && o.Txn == 0),
			o.Outcome == Unknown && o.Verb == Commit && m.units[o].fate == aborted:
			continue
		case o.Verb == Abort && o.Outcome == OK:
			add(o, m.units[o].held, o.Return)
		case o.Outcome == Unknown && o.Verb == Take:
			for range max(o.Max, 1) {
				add(o, o.Call, o.latest)
			}
		case o.Outcome == None:
			add(o, min(o.decides(), o.Return), o.Return)
		default:
			add(o, o.Call, o.latest)
		}
		// Calls under the transaction may find its writes before it has ended.
		if o.Verb == Commit && o.writes() && o.Outcome != Ended {
			w := *o
			w.Verb = Write
			add(&w, o.Call, o.latest)
		}
		if !o.writes() {
			continue
		}
		for _, i := range o.Items {
			m.items[i.N] = i
			if o.lease() != Never {
				x := &Op{Client: o.Client, Verb: expire, Items: []Item{i}, Outcome: OK}
				add(x, plus(o.Call, o.lease()), plus(o.latest, o.lease()))
			}
		}
	}
	for _, o := range part {
		if u := m.units[o]; o.Txn != 0 && o == u.ops[0] && u.lapses() {
			add(&Op{Client: o.Client, Verb: lapse, Txn: o.Txn, Outcome: OK}, u.held, u.freed)
		}
	}
	return out
}

// lapses reports whether a transaction may have ended other than by a call: by its lease, a deadlock, a crash, or the
// end of its client.
func (u *unit) lapses() bool {
	return !slices.ContainsFunc(u.ops,
		func(o *Op) bool { return (o.Verb == Commit || o.Verb == Abort) && o.Outcome == OK })
}

func (m *model) porcupine() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return new(state).pack() },
		Step: func(packed, input, _ any) (bool, any) {
			s := unpack(packed.(string))
			ok := m.step(s, input.(*Op))
			return ok, s.pack()
		},
		DescribeOperation: func(input, _ any) string { return input.(*Op).String() },
		DescribeState:     func(packed any) string { return fmt.Sprintf("%+v", *unpack(packed.(string))) },
	}
}

// step applies o to s, and reports whether o can have had its outcome in this state.
func (m *model) step(s *state, o *Op) bool {
	if o.Txn != 0 && s.txn(o.Txn).ended {
		return o.Outcome == Ended || o.Outcome == Unknown || o.Verb == lapse
	}
	if o.Outcome == Ended {
		return false
	}
	switch o.Verb {
	case Write:
		m.write(s, o)
	case Commit:
		s.commit(o.Txn)
	case Abort, lapse:
		s.release(o.Txn, nil)
		s.txn(o.Txn).ended = true
	case Rollback:
		s.release(o.Txn, o.Items)
	case Count:
		items, drafts := m.visible(s, o, false)
		return len(items)+len(drafts) == o.Number
	case Cancel:
		return s.remove(o.Items[0].N) == (o.Outcome == OK) || o.Outcome == Unknown
	case expire:
		s.remove(o.Items[0].N)
	case Update:
		return m.update(s, o) == (o.Outcome == OK) || o.Outcome == Unknown
	default:
		return m.find(s, o)
	}
	return true
}

func (m *model) write(s *state, o *Op) {
	for _, i := range o.Items {
		if o.Txn == 0 {
			s.items = append(s.items, entry{n: i.N, v: i.V})
			continue
		}
		t := s.txn(o.Txn)
		t.drafts = append(t.drafts, i.N, i.V)
	}
}

// update makes a new version, if the previous one exists and is not locked by others.
func (m *model) update(s *state, o *Op) bool {
	next := o.Items[0]
	if o.Txn != 0 {
		drafts := s.txn(o.Txn).drafts
		for i := 0; i < len(drafts); i += 2 {
			if drafts[i] == next.N && drafts[i+1] == next.V-1 {
				drafts[i+1] = next.V
				return true
			}
		}
	}
	for i := range s.items {
		e := &s.items[i]
		switch {
		case e.n != next.N:
		case !e.visible(o.Txn, true) || e.version(o.Txn) != next.V-1:
			return false
		case o.Txn == 0:
			e.v = next.V
			return true
		default:
			e.changer, e.changed = o.Txn, next.V
			return true
		}
	}
	return false
}

// find judges a read or take, and applies its effect.
func (m *model) find(s *state, o *Op) bool {
	items, drafts := m.visible(s, o, o.Verb == Take)
	switch o.Outcome {
	case None:
		return len(items)+len(drafts) == 0
	case Unknown:
		m.had(s, o, slices.Concat(items, drafts)[:min(1, len(items)+len(drafts))])
		return true
	}
	if len(o.Items) == 0 {
		return false
	}
	for _, i := range o.Items { // a transaction's own writes have no place in the order
		switch {
		case len(items) > 0 && items[0] == i:
			items = items[1:]
		case len(drafts) > 0 && drafts[0] == i:
			drafts = drafts[1:]
		default:
			return false
		}
	}
	m.had(s, o, o.Items)
	return true
}

// visible returns the items that o can find, oldest first, and those that its own transaction has written.
func (m *model) visible(s *state, o *Op, take bool) (items, drafts []Item) {
	for i := range s.items {
		e := &s.items[i]
		if item := m.item(e.n, e.version(o.Txn)); e.visible(o.Txn, take) && o.Pattern.Match(item) {
			items = append(items, item)
		}
	}
	if o.Txn == 0 {
		return items, nil
	}
	own := s.txn(o.Txn).drafts
	for i := 0; i < len(own); i += 2 {
		if item := m.item(own[i], own[i+1]); o.Pattern.Match(item) {
			drafts = append(drafts, item)
		}
	}
	return items, drafts
}

func (m *model) item(n, v int) Item {
	i := m.items[n]
	i.V = v
	return i
}

// had locks or removes the items that o found.
func (m *model) had(s *state, o *Op, items []Item) {
	for _, i := range items {
		switch {
		case o.Txn == 0 && o.Verb == Take:
			s.remove(i.N)
		case o.Txn != 0 && o.Verb == Take && s.txn(o.Txn).undraft(i.N):
		case o.Txn != 0:
			s.lock(i.N, o.Txn, o.Verb == Take)
		}
	}
}

// lock locks an entry for a transaction.
func (s *state) lock(n, txn int, take bool) {
	for i := range s.items {
		e := &s.items[i]
		switch {
		case e.n != n:
		case take:
			e.taker, e.readers = txn, nil
		case !slices.Contains(e.readers, txn):
			e.readers = append(e.readers, txn)
			slices.Sort(e.readers)
		}
	}
}

// explainPartial returns the calls missing from the longest partial order.
func explainPartial(part []*Op, history []porcupine.Operation, info porcupine.LinearizationInfo) string {
	longest := map[int]bool{}
	for _, orders := range info.PartialLinearizations() {
		for _, order := range orders {
			if len(order) > len(longest) {
				longest = map[int]bool{}
				for _, id := range order {
					longest[id] = true
				}
			}
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d calls, the longest order explains %d; first left out:", len(part), len(longest))
	shown := 0
	for id, op := range history {
		if !longest[id] && shown < 10 {
			shown++
			fmt.Fprintf(&b, "\n\t%v", op.Input)
		}
	}
	return b.String()
}
