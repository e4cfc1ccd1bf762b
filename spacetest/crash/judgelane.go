package crash

import (
	"cmp"
	"slices"
	"time"

	"github.com/gospaces/gospaces/spacetest/history"
)

// laneBook follows the items of one lane: items left by earlier rounds, as writes, and the calls of a round.
type laneBook struct {
	left  []history.Op
	calls []history.Op
}

// judge judges a round. crashes are the outages of the server; there has all items that exist at time at, when no
// client calls and nothing is locked: by key, in the order of the space. The items are carried over to the next round.
func (b *laneBook) judge(crashes []history.Op, there map[int][]history.Item, at time.Duration) error {
	ops := slices.Concat(b.left, b.calls, crashes, look(slices.Concat(b.left, b.calls), there, at))
	b.calls = nil
	b.left = carried(there, at+4)
	return history.Check(ops)
}

// look returns the answer to a read of everything, as calls of a history: what was found, by key, and what was not
// found, one by one.
func look(calls []history.Op, there map[int][]history.Item, at time.Duration) []history.Op {
	var ops []history.Op
	present, asked := map[int]bool{}, map[int]bool{}
	read := func(p history.Pattern, found []history.Item, at time.Duration) {
		o := history.Op{
			Verb: history.Read, Pattern: p, Items: found, Max: len(found), Outcome: history.OK, Call: at,
			Return: at + 1,
		}
		if len(found) == 0 {
			o.Outcome = history.None
		}
		ops = append(ops, o)
	}
	for key, items := range there {
		read(history.Pattern{Key: key}, items, at)
		for _, i := range items {
			present[i.N] = true
		}
	}
	for _, o := range calls {
		for _, i := range o.Items {
			if !present[i.N] && !asked[i.N] {
				asked[i.N] = true
				read(history.Pattern{Key: i.Key, N: i.N}, nil, at+2)
			}
		}
	}
	return ops
}

// carried returns writes and updates that create the items one after the other.
func carried(there map[int][]history.Item, at time.Duration) []history.Op {
	var ops []history.Op
	add := func(verb history.Verb, i history.Item, v int) {
		i.V = v
		at += 2
		ops = append(ops, history.Op{Verb: verb, Items: []history.Item{i}, Outcome: history.OK, Call: at, Return: at + 1})
	}
	for _, items := range there {
		for _, i := range items {
			add(history.Write, i, 0)
			for v := range i.V {
				add(history.Update, i, v+1)
			}
		}
	}
	return ops
}

// byLane groups items by lane and key, in their order.
func byLane(items []history.Item) [lanes]map[int][]history.Item {
	var all [lanes]map[int][]history.Item
	for lane := range all {
		all[lane] = map[int][]history.Item{}
		for k := range keysPerLane {
			all[lane][lane*keysPerLane+k+1] = nil
		}
	}
	for _, i := range items {
		if lane := laneOf(i.Key); i.Key > 0 && lane < lanes {
			all[lane][i.Key] = append(all[lane][i.Key], i)
		}
	}
	return all
}

// laneOfCall returns the lane of a call, or -1 if the call does not show it: the begin or the end of a transaction.
func laneOfCall(o *history.Op) int {
	key := o.Pattern.Key
	if len(o.Items) > 0 {
		key = o.Items[0].Key
	}
	if key == 0 {
		return -1
	}
	return laneOf(key)
}

// sortByLane adds calls to the books of their lanes.
func sortByLane(books []*laneBook, calls []history.Op) {
	ofTxn := map[int]int{}
	for i := range calls {
		if lane := laneOfCall(&calls[i]); lane >= 0 && calls[i].Txn != 0 {
			ofTxn[calls[i].Txn] = lane
		}
	}
	for i := range calls {
		lane := laneOfCall(&calls[i])
		if lane < 0 {
			var known bool
			if lane, known = ofTxn[calls[i].Txn]; !known {
				continue // an empty transaction
			}
		}
		books[lane].calls = append(books[lane].calls, calls[i])
	}
	for _, b := range books {
		slices.SortStableFunc(b.calls, func(a, b history.Op) int { return cmp.Compare(a.Call, b.Call) })
	}
}
