package history

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

// Linearizable looks for one order of all calls, each between its call and its return, in which a queue per template gives every
// answer of the history. It returns a *Violation if there is none, and whether the search came to an end within limit.
//
// Calls whose pattern names a key are judged key by key, which keeps the search short; one pattern without a key
// makes it one search over everything.
func Linearizable(ops []Op, limit time.Duration) (complete bool, err error) {
	m := model{items: map[int]Item{}}
	for _, part := range partitions(ops) {
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
func partitions(ops []Op) [][]Op {
	byKey := map[int][]Op{}
	for _, o := range ops {
		key := o.Pattern.Key
		if o.Verb == Write || o.Verb == Cancel {
			key = o.Items[0].Key
			if slices.ContainsFunc(o.Items, func(i Item) bool { return i.Key != key }) {
				key = 0
			}
		}
		if key == 0 {
			return [][]Op{ops}
		}
		byKey[key] = append(byKey[key], o)
	}
	var parts [][]Op
	for _, part := range byKey {
		parts = append(parts, part)
	}
	return parts
}

// expire is the verb of the calls that the model adds: the end of a lease, at some instant between the earliest and the latest possible.
const expire Verb = "expire"

// model is the sequential tuple space. Its state is a string: the numbers of the visible items, oldest first, four bytes each.
type model struct {
	items map[int]Item // by N
}

// operations translates part of a history: calls without effect on anything are dropped, ends of leases become calls of their own,
// and a bulk take of unknown outcome becomes single ones, which can do all that it can.
func (m *model) operations(part []Op) []porcupine.Operation {
	var out []porcupine.Operation
	add := func(o Op, from, to time.Duration) {
		out = append(out, porcupine.Operation{ClientId: o.Client, Input: o, Call: int64(from), Return: int64(to)})
	}
	for _, o := range part {
		if o.Verb == Write {
			for _, i := range o.Items {
				m.items[i.N] = i
			}
		}
		switch {
		case o.Outcome == Refused, o.Outcome == Unknown && (o.Verb == Read || o.Verb == Count):
		case o.Outcome == Unknown && o.Verb == Take:
			for range max(o.Max, 1) {
				add(o, o.Call, Never)
			}
		case o.Outcome == None: // decided at the end of the wait
			add(o, min(o.Call+o.Wait, o.Return), o.Return)
		default:
			add(o, o.Call, o.end())
		}
		if o.Verb == Write && o.Outcome != Refused && o.lease() != Never {
			for _, i := range o.Items {
				x := Op{Client: o.Client, Verb: expire, Items: []Item{i}, Outcome: OK}
				add(x, plus(o.Call, o.lease()), plus(o.end(), o.lease()))
			}
		}
	}
	return out
}

func (m *model) porcupine() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return "" },
		Step: func(state, input, _ any) (bool, any) {
			o := input.(Op)
			next, ok := m.step(state.(string), &o)
			return ok, next
		},
		DescribeOperation: func(input, _ any) string { return input.(Op).String() },
		DescribeState:     func(state any) string { return fmt.Sprint(m.visible(state.(string), Pattern{}, -1)) },
	}
}

// step returns the state after o, and whether o can have had its outcome in this state.
func (m *model) step(state string, o *Op) (string, bool) {
	switch o.Verb {
	case Write:
		return state + encode(o.Items), true
	case Count:
		return state, len(m.visible(state, o.Pattern, -1)) == o.Number
	case Cancel:
		present := len(m.visible(state, Pattern{N: o.Items[0].N}, 1)) == 1
		return remove(state, o.Items), o.Outcome == Unknown || present == (o.Outcome == OK)
	case expire:
		return remove(state, o.Items), true
	}
	switch o.Outcome {
	case None:
		return state, len(m.visible(state, o.Pattern, 1)) == 0
	case Unknown:
		return remove(state, m.visible(state, o.Pattern, 1)), true
	}
	if len(o.Items) == 0 || !slices.Equal(m.visible(state, o.Pattern, len(o.Items)), o.Items) {
		return state, false
	}
	if o.Verb == Take {
		state = remove(state, o.Items)
	}
	return state, true
}

const width = 4 // bytes of one item in a state

// visible returns the oldest n items that match p; all of them if n is negative.
func (m *model) visible(state string, p Pattern, n int) []Item {
	var found []Item
	for s := state; s != "" && len(found) != n; s = s[width:] {
		if i := m.items[decode(s)]; p.Match(i) {
			found = append(found, i)
		}
	}
	return found
}

func encode(items []Item) string {
	var b []byte
	for _, i := range items {
		b = binary.BigEndian.AppendUint32(b, uint32(i.N))
	}
	return string(b)
}

func decode(s string) int { return int(binary.BigEndian.Uint32([]byte(s[:width]))) }

func remove(state string, items []Item) string {
	if len(items) == 0 {
		return state
	}
	var left strings.Builder
	for s := state; s != ""; s = s[width:] {
		if n := decode(s); !slices.ContainsFunc(items, func(i Item) bool { return i.N == n }) {
			left.WriteString(s[:width])
		}
	}
	return left.String()
}

// explainPartial shows the calls that the longest partial order leaves out.
func explainPartial(part []Op, history []porcupine.Operation, info porcupine.LinearizationInfo) string {
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
