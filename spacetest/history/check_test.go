package history

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// at returns an op of one client with the given times.
func at(call, ret time.Duration, op Op) Op {
	op.Call, op.Return = call, ret
	if op.Outcome == "" {
		op.Outcome = OK
	}
	return op
}

var (
	a1   = Item{Key: 1, Color: 1, N: 1}
	a2   = Item{Key: 1, Color: 1, N: 2}
	a3   = Item{Key: 1, Color: 2, N: 3}
	b4   = Item{Key: 2, Color: 1, N: 4}
	keyA = Pattern{Key: 1}
)

func write(items ...Item) Op { return Op{Verb: Write, Items: items} }
func read(p Pattern, items ...Item) Op {
	return Op{Verb: Read, Pattern: p, Items: items, Max: len(items), Outcome: found(items)}
}

func take(p Pattern, items ...Item) Op {
	o := read(p, items...)
	o.Verb = Take
	return o
}
func cancel(i Item) Op               { return Op{Verb: Cancel, Items: []Item{i}} }
func count(p Pattern, n int) Op      { return Op{Verb: Count, Pattern: p, Number: n} }
func with(o Outcome, op Op) Op       { op.Outcome = o; return op }
func lease(d time.Duration, o Op) Op { o.Lease = d; return o }
func wait(d time.Duration, o Op) Op  { o.Wait = d; return o }

func found(items []Item) Outcome {
	if len(items) == 0 {
		return None
	}
	return OK
}

type testHistory struct {
	name   string
	breaks Rule // "": a good history
	linear bool // whether Linearizable accepts it
	ops    []Op
}

var histories = []testHistory{
	{"empty", "", true, nil},
	{"write then take", "", true, []Op{at(0, 1, write(a1)), at(2, 3, take(keyA, a1)), at(4, 5, take(keyA))}},
	{"waiting take gets a later write", "", true, []Op{at(0, 5, take(keyA, a1)), at(2, 3, write(a1))}},
	{"concurrent take and none", "", true, []Op{at(0, 1, write(a1)), at(2, 5, take(keyA, a1)), at(3, 4, take(keyA))}},
	{
		"concurrent writes in either order", "", true,
		[]Op{at(0, 2, write(a1)), at(1, 3, write(a2)), at(4, 5, take(keyA, a2)), at(6, 7, take(keyA, a1))},
	},
	{"read beside a take", "", true, []Op{at(0, 1, write(a1)), at(2, 5, take(keyA, a1)), at(3, 6, read(keyA, a1))}},
	{"take of a newer item while the older is being taken", "", true, []Op{
		at(0, 1, write(a1)), at(2, 3, write(a2)), at(4, 8, take(keyA, a1)), at(5, 6, take(keyA, a2)),
	}},
	{"unknown write that is found", "", true, []Op{at(0, 1, with(Unknown, write(a1))), at(2, 3, take(keyA, a1))}},
	{
		"unknown write that is found later only", "", true,
		[]Op{at(0, 1, with(Unknown, write(a1))), at(2, 3, take(keyA)), at(4, 5, take(keyA, a1))},
	},
	{"unknown write that is not found", "", true, []Op{at(0, 1, with(Unknown, write(a1))), at(2, 3, take(keyA))}},
	{
		"unknown take that took", "", true,
		[]Op{at(0, 1, write(a1)), at(2, 3, with(Unknown, take(keyA))), at(4, 5, take(keyA))},
	},
	{
		"unknown take that did not", "", true,
		[]Op{at(0, 1, write(a1)), at(2, 3, with(Unknown, take(keyA))), at(4, 5, take(keyA, a1))},
	},
	{"unknown take that took late", "", true, []Op{
		at(0, 1, write(a1)), at(2, 3, with(Unknown, take(keyA))), at(4, 5, read(keyA, a1)), at(6, 7, take(keyA)),
	}},
	{"two unknown takes explain two items, found by matching", "", true, []Op{
		at(0, 1, write(a1, a3)), at(2, 3, with(Unknown, take(keyA))),
		at(2, 3, with(Unknown, take(Pattern{Key: 1, Color: 1}))), at(4, 5, take(keyA)),
	}},
	{"unknown bulk take explains as many as it asked for", "", true, []Op{
		at(0, 1, write(a1, a2)), at(2, 3, with(Unknown, Op{Verb: Take, Pattern: keyA, Max: 2})), at(4, 5, take(keyA)),
	}},
	{
		"refused take changes nothing", "", true,
		[]Op{at(0, 1, write(a1)), at(2, 3, with(Refused, take(keyA))), at(4, 5, take(keyA, a1))},
	},
	{"expired", "", true, []Op{at(0, 1, lease(10, write(a1))), at(11, 12, read(keyA)), at(20, 21, take(keyA))}},
	{"expiring", "", true, []Op{at(0, 5, lease(10, write(a1))), at(12, 13, take(keyA)), at(20, 21, take(keyA))}},
	{"taken before expiry", "", true, []Op{at(0, 1, lease(10, write(a1))), at(2, 11, take(keyA, a1))}},
	{
		"cancelled", "", true,
		[]Op{at(0, 1, write(a1)), at(2, 3, cancel(a1)), at(4, 5, take(keyA)), at(6, 7, with(None, cancel(a1)))},
	},
	{
		"counts", "", true,
		[]Op{
			at(0, 1, write(a1, a2)), at(2, 3, count(keyA, 2)), at(4, 6, take(keyA, a1)), at(5, 6, count(keyA, 2)),
			at(7, 8, count(keyA, 1)),
		},
	},
	{"bulk", "", true, []Op{at(0, 1, write(a1, a2, a3)), at(2, 3, read(keyA, a1, a2)), at(4, 5, take(keyA, a1, a2, a3))}},
	{
		"oldest of the template", "", true,
		[]Op{at(0, 1, write(a1, a3)), at(2, 3, take(Pattern{Key: 1, Color: 2}, a3)), at(4, 5, take(keyA, a1))},
	},
	{"waits", "", true, []Op{at(0, 10, wait(10, take(keyA))), at(11, 12, write(a1))}},
	{
		"two keys", "", true,
		[]Op{at(0, 1, write(a1)), at(0, 1, write(b4)), at(2, 3, take(Pattern{Key: 2}, b4)), at(2, 3, take(keyA, a1))},
	},

	{"taken twice", TakenTwice, false, []Op{at(0, 1, write(a1)), at(2, 5, take(keyA, a1)), at(3, 4, take(keyA, a1))}},
	{"taken and cancelled", TakenTwice, false, []Op{at(0, 1, write(a1)), at(2, 5, take(keyA, a1)), at(3, 4, cancel(a1))}},
	{"invented", NeverWritten, false, []Op{at(2, 3, take(keyA, a1))}},
	{"of a refused write", NeverWritten, false, []Op{at(0, 1, with(Refused, write(a1))), at(2, 3, read(keyA, a1))}},
	{
		"changed on the way", NeverWritten, false,
		[]Op{at(0, 1, write(a1)), at(2, 3, read(keyA, Item{Key: 1, Color: 2, N: 1}))},
	},
	{"read before written", OutsideLife, false, []Op{at(0, 1, read(keyA, a1)), at(2, 3, write(a1))}},
	{
		"read after taken", OutsideLife, false,
		[]Op{at(0, 1, write(a1)), at(2, 3, take(keyA, a1)), at(4, 5, read(keyA, a1))},
	},
	{
		"read after cancelled", OutsideLife, false,
		[]Op{at(0, 1, write(a1)), at(2, 3, cancel(a1)), at(4, 5, read(keyA, a1))},
	},
	{"read after expired", OutsideLife, false, []Op{at(0, 1, lease(10, write(a1))), at(12, 13, read(keyA, a1))}},
	{"taken after expired", OutsideLife, false, []Op{at(0, 1, lease(10, write(a1))), at(12, 13, take(keyA, a1))}},
	{"does not match", WrongMatch, false, []Op{at(0, 1, write(a1)), at(2, 3, take(Pattern{Key: 1, Color: 2}, a1))}},
	{"twice in one answer", WrongMatch, false, []Op{at(0, 1, write(a1)), at(2, 3, read(keyA, a1, a1))}},
	{
		"more than asked for", WrongMatch, true,
		[]Op{at(0, 1, write(a1, a2)), at(2, 3, Op{Verb: Read, Pattern: keyA, Items: []Item{a1, a2}, Max: 1})},
	},
	{
		"newer taken first", OutOfOrder, false,
		[]Op{at(0, 1, write(a1)), at(2, 3, write(a2)), at(4, 5, take(keyA, a2)), at(6, 7, take(keyA, a1))},
	},
	{"newer read first", OutOfOrder, false, []Op{at(0, 1, write(a1)), at(2, 3, write(a2)), at(4, 5, read(keyA, a2))}},
	{"within one write", OutOfOrder, false, []Op{at(0, 1, write(a1, a2)), at(4, 5, read(keyA, a2))}},
	{"within one answer", OutOfOrder, false, []Op{at(0, 1, write(a1, a2)), at(4, 5, read(keyA, a2, a1))}},
	{
		"waiting take passes over an older write", OutOfOrder, false,
		[]Op{at(0, 9, take(keyA, a2)), at(1, 2, write(a1)), at(3, 4, write(a2))},
	},
	{"hidden for a while", NoneDespite, false, []Op{at(0, 1, write(a1)), at(2, 3, take(keyA)), at(4, 5, take(keyA, a1))}},
	{
		"not seen at the end of a wait", NoneDespite, false,
		[]Op{at(0, 12, wait(10, take(keyA))), at(8, 9, write(a1)), at(13, 14, take(keyA, a1))},
	},
	{"gave up early", EarlyNone, true, []Op{at(0, 9, wait(10, take(keyA)))}},
	{"count too small", WrongCount, false, []Op{at(0, 1, write(a1, a2)), at(2, 3, count(keyA, 1))}},
	{"count too large", WrongCount, false, []Op{at(0, 1, write(a1)), at(2, 3, count(keyA, 2))}},
	{
		"count of the taken", WrongCount, false,
		[]Op{at(0, 1, write(a1)), at(2, 3, take(keyA, a1)), at(4, 5, count(keyA, 1))},
	},
	{"lost", Lost, false, []Op{at(0, 1, write(a1)), at(2, 3, take(keyA))}},
	{
		"lost by a cancelled take", Lost, false,
		[]Op{at(0, 1, write(a1)), at(2, 3, with(Refused, take(keyA))), at(4, 5, take(keyA))},
	},
	{"expired too early", Lost, false, []Op{at(0, 1, lease(10, write(a1))), at(5, 6, take(keyA))}},
	{
		"one unknown take explains one item only", Lost, false,
		[]Op{at(0, 1, write(a1, a2)), at(2, 3, with(Unknown, take(keyA))), at(4, 5, take(keyA))},
	},
	{
		"unknown take of others explains nothing", Lost, false,
		[]Op{at(0, 1, write(a1)), at(2, 3, with(Unknown, take(Pattern{Key: 1, Color: 2}))), at(4, 5, take(keyA))},
	},
	{
		"unknown take came too late", Lost, false,
		[]Op{at(0, 1, write(a1)), at(2, 3, take(keyA)), at(4, 5, with(Unknown, take(keyA)))},
	},
	{
		"cancel of a lost item", Lost, false,
		[]Op{at(0, 1, write(a1)), at(2, 3, with(None, cancel(a1))), at(4, 5, take(keyA))},
	},
	{
		// Each answer alone is possible, so only the search for one order of all calls fails: two readers see two concurrent
		// writes in opposite orders.
		"readers disagree about the order", "", false, []Op{
			at(0, 20, write(a1)), at(0, 20, write(a2)),
			at(1, 2, read(keyA, a1)), at(3, 4, count(keyA, 2)), at(5, 6, read(keyA, a2)),
		},
	},
	{
		"half of a bulk write is seen", "", false,
		[]Op{at(0, 9, write(a1, a3)), at(2, 3, read(keyA, a1)), at(4, 5, read(Pattern{Key: 1, Color: 2}))},
	},
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, h := range slices.Concat(histories, txnHistories) {
		t.Run(h.name, func(t *testing.T) {
			t.Parallel()
			err := Check(h.ops)
			if h.breaks == "" {
				require.NoError(t, err)
				return
			}
			var v *Violation
			require.ErrorAs(t, err, &v)
			require.Equal(t, h.breaks, v.Rule, "%v", err)
			require.NotEmpty(t, v.Ops)
		})
	}
}

func TestLinearizable(t *testing.T) {
	t.Parallel()
	for _, h := range slices.Concat(histories, txnHistories) {
		t.Run(h.name, func(t *testing.T) {
			t.Parallel()
			complete, err := Linearizable(h.ops, time.Minute)
			require.True(t, complete)
			if h.linear {
				require.NoError(t, err)
				return
			}
			var v *Violation
			require.ErrorAs(t, err, &v)
			require.Equal(t, NotLinearizable, v.Rule)
			require.NotEmpty(t, v.Error())
		})
	}
}

// TestSimulated generates histories from a correct sequential space, with overlapping calls; both judges accept them.
// Then it gives one taker the item of another, which both judges reject.
func TestSimulated(t *testing.T) {
	t.Parallel()
	for seed := range uint64(400) {
		ops := simulate(rand.New(rand.NewPCG(seed, 0)), 60, seed%2 == 1)
		require.NoError(t, Check(ops), "seed %d", seed)
		complete, err := Linearizable(ops, time.Minute)
		require.True(t, complete, "seed %d", seed)
		require.NoError(t, err, "seed %d", seed)

		if !takeTwice(ops) {
			continue
		}
		require.Error(t, Check(ops), "seed %d", seed)
		_, err = Linearizable(ops, time.Minute)
		require.Error(t, err, "seed %d", seed)
	}
}

// takeTwice makes the last successful take return the items of the first.
func takeTwice(ops []Op) bool {
	took := func(o Op) bool { return o.Verb == Take && o.Outcome == OK }
	first := slices.IndexFunc(ops, func(o Op) bool { return took(o) && o.Txn == 0 })
	for last := len(ops) - 1; last > first && first >= 0; last-- {
		if took(ops[last]) {
			ops[last].Pattern, ops[last].Items, ops[last].Max = ops[first].Pattern, ops[first].Items, ops[first].Max
			return true
		}
	}
	return false
}

func TestRecorder(t *testing.T) {
	t.Parallel()
	r := New()
	a, b := r.Client(), r.Client()
	a.Do(write(a1), func(o *Op) { o.Outcome = OK })
	b.Do(Op{Verb: Take, Pattern: keyA}, func(o *Op) { o.Outcome, o.Items = OK, []Item{a1} })
	ops := r.History()
	require.Len(t, ops, 2)
	require.NotEqual(t, ops[0].Client, ops[1].Client)
	require.LessOrEqual(t, ops[0].Call, ops[0].Return)
	require.LessOrEqual(t, ops[0].Return, ops[1].Call)
	require.NoError(t, Check(ops))
}
