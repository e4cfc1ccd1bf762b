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
)

func historyCases() cases {
	return cases{
		{"a random concurrent run breaks no promise", historyLarge},
		{"a random concurrent run is linearizable", historyLinearizable},
	}
}

func historyLarge(k *kit) {
	w := workload{clients: 8, calls: 150, keys: 4, colors: 3, crossKeys: true}
	judge(k, w, w.run(k, []space.Space{k.sp}))
}

func historyLinearizable(k *kit) {
	w := workload{clients: 4, calls: 40, keys: 3, colors: 2}
	for range 3 {
		judge(k, w, w.run(k, []space.Space{k.sp}))
	}
}

// longest is how many calls Linearizable can be asked about.
const longest = 250

// judge fails the test, and keeps the history, if it breaks a promise.
func judge(tb testing.TB, w workload, ops []history.Op) {
	tb.Helper()
	err := history.Check(ops)
	if err == nil && len(ops) <= longest {
		var complete bool
		if complete, err = history.Linearizable(ops, time.Minute); !complete {
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
