package crash

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/spacetest/history"
)

// These tests judge the judges: each must find what is wrong, and nothing in what is right.

const at = 1000 * time.Second // the time of rest

func a(n int) history.Item { return history.Item{Key: 1, Color: 1, N: n} }
func b(n int) history.Item { return history.Item{Key: 2, Color: 1, N: n} } // in the other space

func op(from time.Duration, o history.Op) history.Op {
	o.Call, o.Return = from*time.Second, (from+1)*time.Second
	if o.Outcome == "" {
		o.Outcome = history.OK
	}
	if o.Outcome == history.Unknown {
		o.Return = at / 2
	}
	return o
}

func write(from time.Duration, items ...history.Item) history.Op {
	return op(from, history.Op{Verb: history.Write, Items: items})
}

func take(from time.Duration, i history.Item) history.Op {
	return op(from, history.Op{Verb: history.Take, Pattern: history.Pattern{Key: i.Key}, Max: 1, Items: []history.Item{i}})
}

func in(txn int, o history.Op) history.Op {
	o.Txn = txn
	return o
}

func unknown(o history.Op) history.Op {
	o.Outcome, o.Return = history.Unknown, at/2
	if o.Verb == history.Take {
		o.Items = nil
	}
	return o
}

func commit(from time.Duration) history.Op { return op(from, history.Op{Verb: history.Commit}) }

func there(items ...history.Item) map[int][]history.Item {
	by := map[int][]history.Item{1: nil, 2: nil}
	for _, i := range items {
		by[i.Key] = append(by[i.Key], i)
	}
	return by
}

func TestLane_FindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	crash := op(20, history.Op{Verb: history.Crash})
	updated := history.Item{Key: 1, Color: 1, N: 1, V: 1}
	update := op(3, history.Op{Verb: history.Update, Items: []history.Item{updated}})
	for name, c := range map[string]struct {
		breaks history.Rule // "": nothing
		calls  []history.Op
		there  map[int][]history.Item
	}{
		"nothing":                {"", nil, there()},
		"written and taken":      {"", []history.Op{write(1, a(1), a(2)), take(3, a(1))}, there(a(2))},
		"unknown write, there":   {"", []history.Op{unknown(write(1, a(1))), crash}, there(a(1))},
		"unknown write, missing": {"", []history.Op{unknown(write(1, a(1))), crash}, there()},
		"unknown take":           {"", []history.Op{write(1, a(1)), unknown(take(3, a(1))), crash}, there()},
		"updated":                {"", []history.Op{write(1, a(1)), update}, there(updated)},
		"committed": {
			"",
			[]history.Op{in(1, write(1, a(1))), in(1, write(3, b(2))), in(1, commit(5))},
			there(a(1), b(2)),
		},
		"left open": {"", []history.Op{in(1, write(1, a(1))), crash}, there()},
		"unknown commit, happened": {
			"",
			[]history.Op{in(1, write(1, a(1))), in(1, write(3, b(2))), in(1, unknown(commit(5)))},
			there(a(1), b(2)),
		},

		"lost write":      {history.Lost, []history.Op{write(1, a(1))}, there()},
		"double take":     {history.TakenTwice, []history.Op{write(1, a(1)), take(3, a(1)), take(5, a(1))}, there()},
		"resurrected":     {history.OutsideLife, []history.Op{write(1, a(1)), take(3, a(1))}, there(a(1))},
		"invented":        {history.NeverWritten, nil, there(a(1))},
		"out of order":    {history.OutOfOrder, []history.Op{write(1, a(1)), write(3, a(2))}, there(a(2), a(1))},
		"lost update":     {history.OutsideLife, []history.Op{write(1, a(1)), update}, there(a(1))},
		"invented update": {history.NeverWritten, []history.Op{write(1, a(1))}, there(updated)},
		"half a transaction over two spaces": {
			history.Lost, []history.Op{in(1, write(1, a(1))), in(1, write(3, b(2))), in(1, commit(5))}, there(a(1)),
		},
		"half a transaction of unknown outcome": {
			history.Lost,
			[]history.Op{in(1, write(1, a(1))), in(1, write(3, b(2))), in(1, unknown(commit(5))), crash},
			there(b(2)),
		},
		"half a move": {
			history.Half,
			[]history.Op{write(1, a(1)), in(1, take(3, a(1))), in(1, write(5, b(2))), in(1, unknown(commit(7))), crash},
			there(a(1), b(2)),
		},
		"of a transaction that was left open": {history.Uncommitted, []history.Op{in(1, write(1, a(1))), crash}, there(a(1))},
	} {
		book := &laneBook{calls: c.calls}
		err := book.judge(nil, c.there, at)
		if c.breaks == "" {
			require.NoError(t, err, name)
			require.NoError(t, book.judge(nil, c.there, 2*at), "%s: and then nothing happens", name)
			continue
		}
		var v *history.Violation
		require.True(t, errors.As(err, &v), name)
		require.Equal(t, c.breaks, v.Rule, "%s: %v", name, err)
	}
}

func TestLane_JudgesWhatEarlierRoundsHaveLeft(t *testing.T) {
	t.Parallel()
	updated := history.Item{Key: 1, Color: 1, N: 2, V: 1}
	before := func() *laneBook {
		book := &laneBook{calls: []history.Op{
			write(1, a(1)), write(3, a(2)),
			op(5, history.Op{Verb: history.Update, Items: []history.Item{updated}}),
		}}
		require.NoError(t, book.judge(nil, there(a(1), updated), at))
		return book
	}
	require.NoError(t, before().judge(nil, there(a(1), updated), 2*at))
	require.ErrorContains(t, before().judge(nil, there(a(1)), 2*at), string(history.Lost))
	require.ErrorContains(t, before().judge(nil, there(updated, a(1)), 2*at), string(history.OutOfOrder))
	require.ErrorContains(t, before().judge(nil, there(a(1), a(2)), 2*at), string(history.OutsideLife))
	book := before()
	book.calls = []history.Op{take(1500, a(1))}
	require.ErrorContains(t, book.judge(nil, there(a(1), updated), 2*at), string(history.OutsideLife))
}

func TestJobs_FindWhatIsWrong(t *testing.T) {
	t.Parallel()
	calls := []history.Op{
		write(1, a(1), a(2)), unknown(write(1, a(3))),
		op(1, history.Op{Verb: history.Write, Outcome: history.Refused, Items: []history.Item{a(4)}}),
	}
	for name, c := range map[string]struct {
		wrong             string
		waiting, finished []int
	}{
		"one waits":            {"", []int{1}, []int{2}},
		"the unknown is there": {"", []int{1, 2, 3}, nil},
		"lost":                 {"job 2 was written, and neither waits nor is done", []int{1}, nil},
		"done twice":           {"job 2 is done twice", []int{1}, []int{2, 2}},
		"there twice":          {"job 2 waits twice", []int{1, 2, 2}, nil},
		"done and not taken":   {"job 2 both waits and is done", []int{1, 2}, []int{2}},
		"refused":              {"job 4 waits, and was never written", []int{1, 2, 4}, nil},
		"invented":             {"job 5 is done, and was never written", []int{1, 2}, []int{5}},
	} {
		book := newJobBook()
		book.wrote(calls)
		requireWrong(t, name, c.wrong, book.judge(c.waiting, c.finished))
	}
	book := newJobBook()
	book.wrote(calls)
	require.Empty(t, book.judge([]int{1}, []int{2}))
	requireWrong(t, "lost in a later round", "job 1 was written", book.judge(nil, nil))
	requireWrong(t, "done again in a later round", "job 2 is done, and was never written", book.judge(nil, []int{2}))
}

func TestMoment_FindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	require.NoError(t, judgeMoment([]int{1, 2}, []int{3}))
	require.ErrorContains(t, judgeMoment([]int{1, 2}, []int{2}), "job 2")
	require.ErrorContains(t, judgeMoment(nil, []int{2, 2}), "job 2")
}

func TestTold_FindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	calls := []history.Op{
		write(1, a(1)), write(5, a(2)), write(7, a(3)),
		op(8, history.Op{Verb: history.Write, Outcome: history.Refused, Items: []history.Item{a(4)}}),
	}
	const reg = 9
	made := told{Registration: reg, Registered: 3 * time.Second, Seq: 10}
	event := func(seq uint64, n int) told { return told{Registration: reg, Seq: seq, N: n} }
	for name, c := range map[string]struct {
		wrong string
		told  []told
	}{
		"all":           {"", []told{made, event(11, 2), event(12, 3), event(13, sentinel)}},
		"one before":    {"", []told{made, event(11, 1), event(12, 2), event(13, 3), event(14, sentinel)}},
		"was killed":    {"", []told{made, event(11, 2)}},
		"missed":        {"not told of job 2", []told{made, event(11, 3), event(12, sentinel)}},
		"twice":         {"told of job 2 twice", []told{made, event(11, 2), event(12, 2), event(13, 3), event(14, sentinel)}},
		"not dense":     {"event 12 comes instead of 11", []told{made, event(12, 2)}},
		"refused":       {"told of job 4, whose write was refused", []told{made, event(11, 4)}},
		"invented":      {"told of job 5, which was not written", []told{made, event(11, 5)}},
		"with a gap":    {"3 events are lost", []told{made, {Registration: reg, Seq: 13, Missed: 3}}},
		"lease is over": {"", []told{made, event(11, 2), {Registration: reg, Ended: true}}},
	} {
		requireWrong(t, name, c.wrong, judgeTold(c.told, calls))
	}
}

func TestTable_FindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	space := []row{{1, "a"}, {2, "b"}}
	requireWrong(t, "equal", "", judgeTable("t", space, []row{{2, "b"}, {1, "a"}}))
	requireWrong(t, "missing", "table t: row 2 b is missing", judgeTable("t", space, space[:1]))
	requireWrong(t, "left over", "table t: row 3 c is not in the space",
		judgeTable("t", space, append(space, row{3, "c"})))
	requireWrong(t, "older", "table t: row 2 is x, in the space b", judgeTable("t", space, []row{{1, "a"}, {2, "x"}}))
}

func TestSame_FindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	before := []string{"a", "b"}
	require.NoError(t, judgeSame(before, []string{"a", "b"}))
	require.ErrorContains(t, judgeSame(before, []string{"a"}), "before: b")
	require.ErrorContains(t, judgeSame(before, []string{"a", "b", "c"}), "after: c")
	require.ErrorContains(t, judgeSame(before, []string{"b", "a"}), "in another place: b")
}

func TestArchive_FindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		wrong   string
		archive []filed
		rebased bool
	}{
		"all":                            {"", []filed{{1, ""}, {2, "taken"}}, false},
		"came and went during an outage": {"", []filed{{1, ""}}, true},
		"left during an outage":          {"", []filed{{1, ""}, {2, "unknown"}}, true},
		"missing":                        {"job 2 is done; its row is there: false", []filed{{1, ""}}, false},
		"unknown how it left":            {"job 2 is done; its row is there: true", []filed{{1, ""}, {2, "unknown"}}, false},
		"has not left":                   {`how it left: ""`, []filed{{1, ""}, {2, ""}}, true},
		"has left in another way":        {`how it left: "expired"`, []filed{{1, ""}, {2, "expired"}}, true},
		"twice":                          {"job 2 is there twice", []filed{{1, ""}, {2, "taken"}, {2, "taken"}}, false},
		"left though it waits":           {"job 1 waits", []filed{{1, "taken"}, {2, "taken"}}, true},
		"what waits is missing":          {"job 1 waits", []filed{{2, "taken"}}, true},
		"of a job that was never there": {
			"job 3 neither waits nor was it done",
			[]filed{{1, ""}, {2, "taken"}, {3, "taken"}},
			true,
		},
	} {
		requireWrong(t, name, c.wrong, judgeArchive(c.archive, []int{1}, []int{2}, c.rebased))
	}
}

// requireWrong checks that the first violation is wrong, or that there is none if wrong is "".
func requireWrong(t *testing.T, name, wrong string, found []error) {
	t.Helper()
	if wrong == "" {
		require.Empty(t, found, name)
		return
	}
	require.NotEmpty(t, found, name)
	require.ErrorContains(t, errors.Join(found...), wrong, name)
}

func TestJournal_OfAKilledClientLacksOutcomesOnly(t *testing.T) {
	t.Parallel()
	var file strings.Builder
	j := &journal{clock: func() time.Duration { return 5 }, client: 3, file: &file}
	j.do(history.Op{Verb: history.Write, Items: []history.Item{a(1)}}, func(o *history.Op) { o.Outcome = history.OK })
	j.write(note{Told: &told{Registration: 1, Seq: 7}})
	begun := write(1, a(2))
	begun.Outcome = ""
	j.begin(&begun)
	require.NoError(t, j.failure())
	file.WriteString(`{"id":3,"call":{"Verb":"wri`) // killed while it wrote this, before the call

	r, err := parseJournal(strings.NewReader(file.String()), 9)
	require.NoError(t, err)
	require.Equal(t, []told{{Registration: 1, Seq: 7}}, r.told)
	require.Len(t, r.calls, 2)
	require.Equal(t, history.OK, r.calls[0].Outcome)
	require.Equal(t, 3, r.calls[0].Client)
	require.Equal(t, history.Unknown, r.calls[1].Outcome)
	require.Equal(t, time.Duration(9), r.calls[1].Return)
}
