package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// People get tables, with headings and a line for each row. The numbers that a machine decides are left out here.
func TestListings_AreTablesForPeople(t *testing.T) {
	t.Parallel()
	s := memory(t)
	s.must(t, "write", "job", `{"id": 1, "state": "new"}`, `{"id": 2}`)
	s.must(t, "write", "reminder", `{"text": "tea"}`, "--delay", "1h")
	s.must(t, "spaces", "create", "other")
	table := func(args ...string) string { return s.must(t, append(args, "--json=false")...) }

	require.Equal(t, strings.TrimPrefix(`
KIND      READY  HELD  DELAYED  EMBEDS  FIELDS
job       2      0     0        -       id int, state string
reminder  0      0     1        -       text string
`, "\n"), table("kinds"))
	require.Equal(t, "SPACE\ndefault\nother\n", table("spaces"))
	require.Equal(t, "ID  KINDS  ON  LEASE  EVENTS  UNREAD  ATTENDED\n", table("registrations", "list"))

	got := table("status")
	require.Regexp(t, `^server +up \d+s, pid \d+, durability memory\n`+
		`memory +[\d.]+ [KMG]iB of [\d.]+ [MG]iB in use: ok\n`+
		`clients +\d+, \d+ connections?\n\n`+
		`SPACE +READY +HELD +DELAYED +KINDS +WAITING +REGISTRATIONS +TXNS +LOG +MIRROR\n`+
		`default +2 +0 +1 +2 +0 +0 +0 +0 B +-\n`+
		`other +0 +0 +0 +0 +0 +0 +0 +0 B +-\n$`, got)
}

// Programs get JSON, whether they say so or not.
func TestListings_AreJSONForPrograms(t *testing.T) {
	t.Parallel()
	s := memory(t)
	s.must(t, "write", "job", `{"id": 1}`)
	for _, args := range [][]string{{"kinds"}, {"spaces"}, {"status"}} {
		require.True(t, json.Valid([]byte(s.must(t, args...))), args)
		require.True(t, json.Valid([]byte(s.must(t, append(args, "--json")...))), args)
	}
}

func TestStatus_NamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	a := &app{stdout: &out}
	require.NoError(t, a.printStatus(&listing{given: true}, []byte(`{"uptime": "1h", "spaces": [
		{"name": "a", "throttle": "the log is full", "mirror": {"connected": true, "lag_records": 7, "dead_letters": 2,
			"last_error": "no\ndice", "blocked_by": {"pid": 5, "user": "joe", "query": "LOCK TABLE job"}}},
		{"name": "b", "error": "closed",
			"mirror": {"stopped": true, "last_error": "other log", "incomplete_tables": ["job", "result"]}},
		{"name": "c", "mirror": {"connected": true, "last_error": "long ago"}},
		{"name": "d", "mirror": {"lag_records": 3}},
		{"name": "e", "mirror": {"waiting_for_connection": true}}
	]}`)))
	for _, line := range []string{
		"a: changes wait or fail: the log is full",
		"a: mirror: no; dice",
		"a: mirror: blocked by pid 5 of the database (user joe): LOCK TABLE job",
		"a: mirror: 2 dead letters: gospaces deadletters list",
		"b: calls fail: closed",
		"b: mirror: other log",
		"b: mirror: incomplete tables: job, result",
	} {
		require.Contains(t, out.String(), line+"\n")
	}
	for name, state := range map[string]string{
		"a": "blocked", "b": "stopped", "c": "current", "d": "away, 3 behind",
		"e": "waiting",
	} {
		require.Regexp(t, `(?m)^`+name+` .* 0 B +`+state+`$`, out.String())
	}
	require.NotContains(t, out.String(), "long ago")
}

func TestSize(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1536: "1.5 KiB", 1 << 30: "1.0 GiB",
		1 << 52: "4096.0 TiB",
	} {
		require.Equal(t, want, size(n))
	}
}
