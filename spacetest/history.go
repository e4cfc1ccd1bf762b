package spacetest

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/spacetest/history"
	"github.com/gospaces/gospaces/spacetest/random"
)

func historyCases() cases {
	return cases{
		{"a random concurrent run breaks no promise", historyLarge},
		{"a random concurrent run is linearizable", historyLinearizable},
		{"a random concurrent run is told event by event", historyEvents},
		{"a random run of transactions breaks no promise", historyTxns},
		{"a random run of transactions is linearizable call by call", historyTxnsLinearizable},
	}
}

func historyLarge(k *kit) {
	_, parted := k.sp.(Scattered) // each key is in one of the partitions, and judged there
	w := workload{clients: 8, calls: 150, keys: 4, colors: 3, crossKeys: !parted}
	judge(k, w, w.run(k, []space.Space{k.sp}))
}

func historyLinearizable(k *kit) {
	w := workload{clients: 4, calls: 40, keys: 3, colors: 2}
	for range 3 {
		judge(k, w, w.run(k, []space.Space{k.sp}))
	}
}

func historyEvents(k *kit) {
	k.needOnePartition()
	told(k, workload{clients: 6, calls: 100, keys: 3, colors: 3})
}

func historyTxns(k *kit) {
	k.needOnePartition()
	w := workload{clients: 8, calls: 60, keys: 4, colors: 3, crossKeys: true, txns: 60, updates: 7}
	judge(k, w, w.run(k, []space.Space{k.sp}))
}

func historyTxnsLinearizable(k *kit) {
	k.needOnePartition()
	w := workload{clients: 4, calls: 12, keys: 3, colors: 2, txns: 50, updates: 7}
	for range 4 {
		judge(k, w, w.run(k, []space.Space{k.sp}))
	}
}

// told fails the case unless a listener hears of every acknowledged write of a random run, once each and in an order
// that the writes can have had, and of nothing that was not written.
func told(k *kit, w workload, disturbances ...func()) {
	k.Helper()
	last := random.Item{N: 1 << 30}
	reg := notify(k, random.Item{})
	ops := w.run(k, []space.Space{k.sp}, disturbances...)
	write(k, last)

	writes := map[int]*history.Op{}
	for i := range ops {
		if o := &ops[i]; o.Verb == history.Write && o.Outcome != history.Refused {
			for _, v := range o.Items {
				writes[v.N] = o
			}
		}
	}
	var latest *history.Op // the write that began last of those told so far
	for seq := reg.Start(); ; seq++ {
		v := next[random.Item](k, reg, seq, 1)[0]
		if v == last {
			break
		}
		o := writes[v.N]
		require.NotNil(k, o, "%v was not written, or is told twice", v)
		if latest != nil && latest != o && o.Outcome == history.OK {
			require.GreaterOrEqual(k, o.Return, latest.Call, "%v is told after a later write", v)
		}
		if latest == nil || o.Call > latest.Call {
			latest = o
		}
		delete(writes, v.N)
	}
	for n, o := range writes {
		require.Equal(k, history.Unknown, o.Outcome, "item %d is not told: %v", n, o)
	}
}

// longest is how many calls Linearizable can be asked about.
const longest = 250

// judge fails the test, and keeps the history, if it breaks a promise.
func judge(tb testing.TB, w workload, ops []history.Op) {
	tb.Helper()
	judged := withLost(ops)
	err := history.Check(judged)
	if err == nil && len(judged) <= longest {
		var complete bool
		if complete, err = history.Linearizable(judged, time.Minute); !complete {
			tb.Log("the search for one order of all calls did not come to an end")
		}
	}
	if err == nil {
		return
	}
	file := filepath.Join(tb.ArtifactDir(), "history.json")
	text, marshalErr := json.MarshalIndent(ops, "", " ")
	require.NoError(tb, errors.Join(marshalErr, os.WriteFile(file, text, 0o644)))
	require.NoError(tb, err, "%d calls of %+v, kept in %s", len(ops), w, file)
}
