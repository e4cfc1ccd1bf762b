package main

import (
	"database/sql"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/spacetest"
)

func TestLoad_ALostFolderIsMadeOfTheTables(t *testing.T) {
	t.Parallel()
	_, dsn := spacetest.OwnPostgres(t)
	require.Contains(t, cli(t, "load").err, "--postgres is missing")
	dir := filepath.Join(t.TempDir(), "new")
	r := cli(t, "load", "--postgres", dsn, "--data", dir, "--all")
	require.Equal(t, exitError, r.code)
	require.Contains(t, r.err, "holds no mirror of the space")

	s := serve(t, "--data", t.TempDir(), "--postgres", dsn, "--mirror", "audit=append,draft=none")
	s.must(t, "write", "job", `{"n": 1, "x": 1.0, "nested": {"list": [1.0, null, "a"]}}`, `{"n": 2}`, `{"n": 3}`)
	s.must(t, "write", "audit", `{"n": 1}`, `{"n": 2}`)
	s.must(t, "write", "draft", `{"n": 1}`)
	s.must(t, "write", "later", `{"n": 1}`, "--delay", "1h")
	s.must(t, "take", "audit")
	s.must(t, "take", "job", `{"n": 2}`)
	s.must(t, "write", "job", `{"n": 7}`, "--space", "other")
	jobs, audits := s.must(t, "read", "job", "--all"), s.must(t, "read", "audit", "--all")
	r = cli(t, "load", "--postgres", dsn, "--data", dir, "--all", "--space", "other")
	require.Equal(t, exitUsage, r.code)
	require.Contains(t, r.err, "--space and --all exclude each other")
	require.Zero(t, s.stop().code)

	r = cli(t, "load", "--postgres", dsn, "--data", dir, "--all")
	require.Empty(t, r.err)
	lines := strings.Split(strings.TrimSpace(r.out), "\n")
	require.Len(t, lines, 2)
	var got loaded
	require.NoError(t, json.Unmarshal([]byte(lines[0]), &got))
	require.Equal(t, "default", got.Space)
	require.Equal(t, map[string]uint64{"job": 2, "audit": 1, "later": 1}, got.Entries)
	require.Equal(t, []string{"draft"}, got.NotMirrored)
	require.Contains(t, lines[1], `"space":"other"`)
	require.Contains(t, cli(t, "load", "--postgres", dsn, "--data", dir, "--space", "other").out, `"loaded_before":true`)
	require.Contains(t, cli(t, "load", "--postgres", dsn, "--data", dir, "--space", "none").err,
		`space "none": the database holds no mirror of the space`)

	s = serve(t, "--data", dir, "--postgres", dsn, "--mirror", "audit=append,draft=none")
	require.Equal(t, jobs, s.must(t, "read", "job", "--all"))
	require.Equal(t, audits, s.must(t, "read", "audit", "--all"))
	require.Contains(t, s.must(t, "read", "job", "--space", "other"), `{"n":7}`)
	require.Equal(t, exitNoMatch, s.do(t, "read", "later").code, "an hour has not passed")
	s.must(t, "write", "draft", `{"n": 2}`)
	s.must(t, "take", "job", `{"n": 1}`)
	s.mirror(t, func(m mirror) bool { return m.Connected && m.LagGroups == 0 && m.LastError == "" })
	require.Contains(t, cli(t, "load", "--postgres", dsn, "--data", dir).err, "is in use by another process")
	require.Zero(t, s.stop().code)

	db, err := sql.Open("postgres", dsn)
	require.NoError(t, err)
	defer db.Close()
	_, err = db.Exec(`UPDATE gospaces.kinds SET complete = false WHERE space = 'other'`)
	require.NoError(t, err)
	again := filepath.Join(t.TempDir(), "again")
	r = cli(t, "load", "--postgres", dsn, "--data", again, "--all")
	require.Equal(t, result{
		exitError, "", `gospaces: space "other": tables lack rows that the space had: ["space_other"."job"]: ` +
			"--incomplete loads them as they are\n",
	}, r)
	require.NoDirExists(t, again)
	require.Zero(t, cli(t, "load", "--postgres", dsn, "--data", again, "--all", "--incomplete").code)

	full := t.TempDir()
	s = serve(t, "--data", full)
	s.must(t, "write", "job", `{"n": 1}`)
	require.Zero(t, s.stop().code)
	r = cli(t, "load", "--postgres", dsn, "--data", full)
	require.Equal(t, result{exitError, "", "gospaces: space \"default\": the space is not empty: entries: 1\n"}, r)
}

func TestLoad_SaysHowFarItIs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		p := (&app{stderr: &out}).loadProgress()
		p.show("orders", 1, 400)
		require.Empty(t, out.String(), "a load that is short says nothing but what it has done")
		time.Sleep(progressEvery)
		p.show("orders", 100, 400)
		p.show("orders", 101, 400)
		require.Equal(t, "gospaces: space \"orders\": 100 of 400 entries (25 %), 20 a second\n", out.String())
		time.Sleep(progressEvery)
		p.show("orders", 200, 400)
		require.Contains(t, out.String(), "200 of 400 entries (50 %), 20 a second\n")
	})
}
