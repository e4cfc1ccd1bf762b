package spacetest

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/spacetest/history"
)

// A server takes an entry for a transaction, others find nothing, and then it is killed before it has answered.
func TestWithLost_LocksOfCallsThatACrashHasLost(t *testing.T) {
	t.Parallel()
	item, later := history.Item{Key: 1, Color: 1, N: 1}, history.Item{Key: 1, Color: 1, N: 2}
	at := func(call, ret time.Duration, op history.Op) history.Op {
		op.Call, op.Return = call, ret
		return op
	}
	before := []history.Op{
		at(10, 20,
			history.Op{Client: 1, Verb: history.Write, Items: []history.Item{item}, Lease: space.Forever, Outcome: history.OK}),
		at(40, 50, history.Op{Client: 2, Verb: history.Take, Max: 1, Outcome: history.None}),
	}
	crash := at(60, 70, history.Op{Client: 9, Verb: history.Crash, Outcome: history.OK})
	for name, locking := range map[string][]history.Op{
		"a take that begins a transaction": {
			at(75, 80, history.Op{Client: 1, Verb: history.Take, Max: 1, Items: []history.Item{item}, Outcome: history.OK}),
			at(81, 90,
				history.Op{
					Client: 1, Verb: history.Write, Items: []history.Item{later}, Lease: space.Forever,
					Outcome: history.OK,
				}),
			at(30, 100,
				history.Op{Client: 3, Verb: history.Take, Txn: 7, Max: 1, Items: []history.Item{later}, Outcome: history.OK}),
		},
		"a take under a transaction": {
			at(21, 22, history.Op{Client: 3, Verb: history.Begin, Txn: 7, Outcome: history.OK}),
			at(30, 100, history.Op{Client: 3, Verb: history.Take, Txn: 7, Max: 1, Outcome: history.Ended}),
		},
	} {
		ops := slices.Concat(before, locking)
		require.Error(t, history.Check(withLost(ops)), name+", and no crash")
		ops = append(ops, crash)
		require.Error(t, history.Check(ops), name)
		require.NoError(t, history.Check(withLost(ops)), name)
	}
}
