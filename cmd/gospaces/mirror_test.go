package main

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	_ "github.com/lib/pq"
	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/spacetest"
)

// mirror is the part of the status that tells of the mirror of the default space.
type mirror struct {
	Connected   bool
	Position    uint64
	LagGroups   uint64 `json:"lag_groups"`
	LagRecords  uint64 `json:"lag_records"`
	LagBytes    int64  `json:"lag_bytes"`
	LagSeconds  float64
	Refused     uint64 `json:"rows_refused"`
	DeadLetters int    `json:"dead_letters"`
	LastError   string `json:"last_error"`
}

// mirror waits until the status of the server's mirror is as it should be.
func (s server) mirror(t *testing.T, ok func(mirror) bool) {
	t.Helper()
	require.Eventually(t, func() bool {
		var status struct {
			Spaces []struct{ Mirror mirror }
		}
		require.NoError(t, json.Unmarshal([]byte(s.must(t, "status")), &status))
		return ok(status.Spaces[0].Mirror)
	}, time.Minute, 10*time.Millisecond)
}

func TestMirror_DeadLettersAndModesAndLag(t *testing.T) {
	t.Parallel()
	pg, dsn := spacetest.OwnPostgres(t)
	db, err := sql.Open("postgres", dsn)
	require.NoError(t, err)
	defer db.Close()
	exec := func(query string) {
		t.Helper()
		_, err := db.Exec(query)
		require.NoError(t, err)
	}
	letters := func(args ...string) result {
		return cli(t, append([]string{"deadletters", "--postgres", dsn}, args...)...)
	}
	require.Contains(t, letters("list").err, "holds no mirror of the space")
	require.Contains(t, cli(t, "deadletters", "list").err, "--postgres is missing")

	s := serve(t, "--data", t.TempDir(), "--postgres", dsn, "--mirror", "audit=append,draft=none", "--mirror",
		"draft=none")
	s.must(t, "write", "job", `{"n": 1}`)
	s.must(t, "write", "audit", `{"n": 1}`)
	s.must(t, "write", "draft", `{"n": 1}`)
	s.must(t, "take", "audit")
	caughtUp := func(m mirror) bool { return m.Connected && m.LagGroups == 0 && m.LagBytes == 0 && m.LagRecords == 0 }
	s.mirror(t, caughtUp)
	var how string
	require.NoError(t, db.QueryRow(`SELECT _how FROM space_default.audit`).Scan(&how))
	require.Equal(t, "taken", how)
	require.Error(t, db.QueryRow(`SELECT FROM space_default.draft`).Scan())

	exec(`ALTER TABLE space_default.job ADD CONSTRAINT small CHECK (n < 10)`)
	s.must(t, "write", "job", `{"n": 2}`, `{"n": 10}`, `{"n": 11}`, `{"n": 12}`)
	s.mirror(t, func(m mirror) bool { return m.DeadLetters == 3 && m.Refused == 3 && caughtUp(m) })
	lines := strings.Split(strings.TrimSpace(letters("list").out), "\n")
	require.Len(t, lines, 3)
	var l deadLetter
	require.NoError(t, json.Unmarshal([]byte(lines[0]), &l))
	require.Equal(t, []any{"job", "store", "23514", `{"n":10}`}, []any{l.Kind, l.Action, l.SQLState, string(l.Fields)})
	require.Contains(t, l.Reason, `violates check constraint "small"`)

	id := json.Number(lines[0][len(`{"entry":`):strings.IndexByte(lines[0], ',')]).String()
	require.Equal(t, exitUsage, letters("drop").code)
	require.Equal(t, exitUsage, letters("retry", "x").code)
	require.Equal(t, exitNoMatch, letters("drop", "999").code)
	require.Equal(t, lines[0]+"\n", letters("drop", id).out)
	r := letters("retry")
	require.JSONEq(t, `{"resolved": 0, "refused": 2}`, r.out)
	require.Equal(t, exitError, r.code)
	require.Contains(t, r.err, "the database has refused 2 again")
	exec(`ALTER TABLE space_default.job DROP CONSTRAINT small`)
	require.JSONEq(t, `{"resolved": 2, "refused": 0}`, letters("retry").out)
	require.Equal(t, result{}, letters("list"))
	require.Equal(t, result{}, letters("drop", "--all"))
	s.must(t, "write", "job", `{"n": 3}`)
	s.mirror(t, func(m mirror) bool { return m.DeadLetters == 0 && caughtUp(m) })

	require.NoError(t, pg.Kill())
	s.must(t, "write", "job", `{"n": 4}`)
	s.mirror(t, func(m mirror) bool {
		return !m.Connected && m.LastError != "" && m.LagGroups > 0 && m.LagRecords > 0 && m.LagBytes > 0
	})
	require.NoError(t, pg.Restart(t.Context()))
	s.mirror(t, caughtUp)
	var rows int
	require.NoError(t, db.QueryRow(`SELECT count(*) FROM space_default.job`).Scan(&rows))
	require.Equal(t, 6, rows, "all but the one that was dropped")
	require.Contains(t, cli(t, "serve", "--mirror", "audit=archive").err,
		`no mode "archive"; there are mirror, append, none`)
}

// A server whose database is away refuses what its log has no room for, and says so: in the command, in its status and
// in its log.
func TestMirror_FullLogIsToldOf(t *testing.T) {
	t.Parallel()
	pg, dsn := spacetest.OwnPostgres(t)
	require.Contains(t, cli(t, "serve", "--mirror-full", "wait").err, `"wait"; it is rebase, block or refuse`)
	require.Contains(t, cli(t, "serve", "--mirror-lanes", "65").err, "--mirror-lanes is 65; it is 64 at most")
	s := serve(t, "--data", t.TempDir(), "--postgres", dsn, "--mirror-log", "5000", "--mirror-full", "refuse")
	s.must(t, "write", "job", `{"n": 0}`)
	s.mirror(t, func(m mirror) bool { return m.Connected && m.LagGroups == 0 })
	require.NoError(t, pg.Kill())
	var r result
	for n := 1; r.code == exitOK; n++ {
		r = s.do(t, "write", "job", fmt.Sprintf(`{"n": %d, "text": %q}`, n, strings.Repeat("x", 200)))
	}
	require.Equal(t, exitFull, r.code)
	require.Contains(t, r.err,
		"log full: the database lacks 5000 bytes of the log, as many as --mirror-log allows; "+
			"bring it back, or allow more, and try again\n")
	require.Equal(t, 1, strings.Count(r.err, "\n"), "one line")
	require.Equal(t, exitFull, s.do(t, "take", "job").code)
	require.Equal(t, exitOK, s.do(t, "read", "job").code)
	require.Contains(t, s.must(t, "status"), `"mirror_full":{"policy":"refuse","bound_bytes":5000,"full":true,"since":"20`)
	require.NoError(t, pg.Restart(t.Context()))
	s.mirror(t, func(m mirror) bool { return m.Connected && m.LagGroups == 0 })
	require.Eventually(t, func() bool { return s.do(t, "take", "job").code == exitOK }, time.Minute, 10*time.Millisecond)
	require.Contains(t, s.must(t, "status"), `"full":false`)
}
