package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
)

func TestWriteReadTake(t *testing.T) {
	t.Parallel()
	s := memory(t)
	granted := s.must(t, "write", "job", `{"id": 7, "state": "new"}`, `{"id": 8, "state": "old", "priority": 5}`,
		"--lease", "10m")
	require.Equal(t, 2, strings.Count(granted, `"lease":"10m0s"`))

	require.Equal(t, `{"id":7,"state":"new"}`+"\n", s.must(t, "read", "job"))
	require.Equal(t, `{"id":8,"state":"old","priority":5}`+"\n", s.must(t, "read", "job", `{"state": "old"}`))
	require.Equal(t, "2\n", s.must(t, "count", "job"))
	require.Equal(t, `{"id":8,"state":"old","priority":5}`+"\n", s.must(t, "take", "job", "--where", "priority >= 5"))
	require.Equal(t, result{code: exitNoMatch}, s.do(t, "take", "job", "--where", "priority is not null"))
	require.Equal(t, "1\n", s.must(t, "count"))
}

func TestRead_ManyInOrder(t *testing.T) {
	t.Parallel()
	s := memory(t)
	s.must(t, "write", "job", `{"id": 1, "p": 2}`, `{"id": 2, "p": 9}`, `{"id": 3, "p": 2}`, `{"id": 4}`)
	require.Equal(t, []string{"1", "2", "3", "4"}, ids(t, s.must(t, "read", "job", "--all")))
	require.Equal(t, []string{"1", "2"}, ids(t, s.must(t, "read", "job", "--max", "2")))
	require.Equal(t, []string{"2", "1", "3"}, ids(t, s.must(t, "read", "job", "--order", "-p,id", "--max", "3")))
	require.Equal(t, []string{"4", "1"}, ids(t, s.must(t, "take", "job", "--order", "p", "--max", "2")))
	require.Equal(t, []string{"2", "3"}, ids(t, s.must(t, "take", "job", "--all")))
	require.Equal(t, exitNoMatch, s.do(t, "take", "job", "--all").code)
	require.Equal(t, exitNoMatch, s.do(t, "read", "job", "--all").code)
}

// ids returns the id of each entry in the output.
func ids(t *testing.T, out string) []string {
	t.Helper()
	var all []string
	for line := range strings.Lines(out) {
		var e struct{ ID json.Number }
		require.NoError(t, json.Unmarshal([]byte(line), &e))
		all = append(all, e.ID.String())
	}
	return all
}

func TestRead_EveryOperator(t *testing.T) {
	t.Parallel()
	s := memory(t)
	s.must(t, "write", "e", `{"id": 1, "n": -3, "f": 1.5, "s": "abc", "b": true}`,
		`{"id": 2, "n": 10, "f": 2.5, "s": "abd", "b": false}`, `{"id": 3}`)
	for where, want := range map[string][]string{
		"n = 10":           {"2"},
		"n != 10":          {"1"},
		"n < 0":            {"1"},
		"n <= 10":          {"1", "2"},
		"n > -3":           {"2"},
		"f >= 1.5":         {"1", "2"},
		"f < 2":            {"1"},
		"s ^= ab":          {"1", "2"},
		`s = "abd"`:        {"2"},
		"s in (abc, x)":    {"1"},
		"b = true":         {"1"},
		"s is null":        {"3"},
		"n is not null":    {"1", "2"},
		"id in (1, 3, 99)": {"1", "3"},
	} {
		require.Equal(t, want, ids(t, s.must(t, "read", "e", "--all", "--where", where)), where)
	}
	require.Equal(t, []string{"2"}, ids(t, s.must(t, "read", "e", "--all", "--where", "n > 0", "--where", "f > 0")))
}

func TestTake_WaitsForAnEntry(t *testing.T) {
	t.Parallel()
	s := memory(t)
	taken := make(chan result)
	go func() { taken <- s.do(t, "take", "job", "--wait", "forever") }()
	s.must(t, "write", "job", `{"id": 1}`)
	r := <-taken
	require.Equal(t, result{out: `{"id":1}` + "\n"}, result{r.code, r.out, ""},
		"it may have said that it did not know the kind yet")
	require.Equal(t, exitNoMatch, s.do(t, "take", "job", `{"id": 1}`, "--wait", "1ms").code)
}

// A consumer may come before the first producer, whatever it asks for.
func TestTake_WaitsForAKind(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{`{"state": "new"}`},
		{"--where", "priority >= 5"},
		{"--order", "-priority", "--where", "id > 2"},
	} {
		s := memory(t)
		taken := make(chan result)
		go func() { taken <- s.do(t, append([]string{"take", "job", "--wait", "1m"}, args...)...) }()
		for !strings.Contains(s.must(t, "status"), `"waiting":1`) {
		}
		s.must(t, "write", "job", `{"id": 1, "state": "old", "priority": 1}`)
		s.must(t, "write", "job", `{"id": 7, "state": "new", "priority": 5}`)
		r := <-taken
		require.Equal(t, `{"id":7,"state":"new","priority":5}`+"\n", r.out, r.err)
	}
}

func TestWrite_StreamIsWrittenAsItComes(t *testing.T) {
	t.Parallel()
	s := memory(t)
	input, in := io.Pipe()
	out, granted := io.Pipe()
	done := make(chan int)
	go func() {
		done <- run(t.Context(), []string{"write", "job", "--addr", s.addr}, getenv(nil), input, granted, t.Output())
	}()
	lines := bufio.NewReader(out)
	for range 3 {
		_, err := io.WriteString(in, `{"n": 1}`+"\n")
		require.NoError(t, err)
		_, err = lines.ReadString('\n')
		require.NoError(t, err, "an entry is written before the next one comes")
	}
	require.NoError(t, in.Close())
	require.Equal(t, exitOK, <-done)
	require.Equal(t, "3\n", s.must(t, "count", "job"))
}

func TestWrite_ManyFromStandardInput(t *testing.T) {
	t.Parallel()
	s := memory(t)
	r := cliWith(t, nil, strings.Repeat(`{"n": 1}`+"\n", 3*bulk), "write", "job", "--addr", s.addr)
	require.Zero(t, r.code, r.err)
	require.Equal(t, 3*bulk, strings.Count(r.out, "\n"))
	require.Equal(t, 3*bulk, strings.Count(s.must(t, "read", "job", "--all"), "\n"))
	require.Equal(t, 2*bulk, strings.Count(s.must(t, "take", "job", "--max", "2000"), "\n"))
	require.Equal(t, bulk, strings.Count(s.must(t, "take", "job", "--all"), "\n"))
}

func TestWrite_StopsAtWhatIsWrong(t *testing.T) {
	t.Parallel()
	s := memory(t)
	s.must(t, "write", "job", `{"id": 0}`)
	for says, bad := range map[string]string{
		"the JSON ends early": `{"id": `,
		"invalid character":   `{"id": 2} x`,
		`field "id" of kind`:  `{"id": "text"}`,
		"value out of range":  `{"id": 99999999999999999999}`,
	} {
		whole := []result{
			s.do(t, "write", "job", `{"id": 1}`, bad),
			cliWith(t, nil, `{"id": 1}`+"\n"+bad, "write", "job", "--addr", s.addr, "--atomic"),
		}
		for _, r := range whole {
			require.Equal(t, exitUsage, r.code)
			require.Contains(t, r.err, "gospaces: entry ")
			require.Contains(t, r.err, says)
			require.Empty(t, r.out)
			require.Equal(t, "1\n", s.must(t, "count", "job"), "all or none")
		}
	}
	r := cliWith(t, nil, strings.Repeat(`{"id": 1}`+"\n", 2*bulk)+`{"id": `, "write", "job", "--addr", s.addr)
	require.Equal(t, exitUsage, r.code)
	require.Contains(t, r.err, fmt.Sprintf("entry %d: the JSON ends early; the first %d are written", 2*bulk+1, 2*bulk))
	require.Equal(t, fmt.Sprintln(2*bulk+1), s.must(t, "count", "job"), "what came before is written")
	r = cliWith(t, nil, `{"id": `, "write", "job", "--addr", s.addr)
	require.Contains(t, r.err, "entry 1: the JSON ends early; nothing was written")
}

func TestWrite_AtomicIsOneWrite(t *testing.T) {
	t.Parallel()
	s := memory(t)
	most := strings.Repeat(`{"id": 1}`, 4096)
	require.Zero(t, cliWith(t, nil, most, "write", "job", "--addr", s.addr, "--atomic").code)
	r := cliWith(t, nil, most+`{"id": 1}`, "write", "job", "--addr", s.addr, "--atomic")
	require.Equal(t, exitError, r.code)
	require.Contains(t, r.err, "4096")
	require.Equal(t, "4096\n", s.must(t, "count", "job"))
	require.Zero(t, cliWith(t, nil, "", "write", "job", "--addr", s.addr, "--atomic").code)
}

// An entry that cannot be written leaves no kind behind, and no field.
func TestWrite_ThatIsRefusedMakesNoSchema(t *testing.T) {
	t.Parallel()
	s := memory(t)
	require.Equal(t, exitUsage, s.do(t, "write", "job", `{"id": 99999999999999999999}`).code)
	require.Empty(t, s.must(t, "kinds"))
	s.must(t, "write", "job", `{"id": "text"}`)
	require.Equal(t, exitUsage, s.do(t, "write", "job", `{"n": 99999999999999999999}`).code)
	require.NotContains(t, s.must(t, "kinds"), `"n"`)
}

func TestWrite_SaysThatThereIsNothingToWrite(t *testing.T) {
	t.Parallel()
	s := memory(t)
	for _, args := range [][]string{{"write", "job"}, {"write", "job", "--atomic"}} {
		require.Equal(t, result{err: "gospaces: standard input has no JSON objects: nothing is written\n"},
			s.do(t, args...))
	}
}

// What is misspelt is seen, or refused by those who ask for that.
func TestWrite_TellsWhatIsNew(t *testing.T) {
	t.Parallel()
	s := memory(t)
	require.Empty(t, s.do(t, "write", "job", `{"id": 1}`, `{"id": 2, "state": "new"}`).err, "the kind is new as a whole")
	for _, c := range []struct {
		says string
		args []string
	}{
		{`field "stat" of kind "job" is new: did you mean state?`, []string{"write", "job", `{"stat": "new"}`}},
		{`field "owner" of kind "job" is new`, []string{"write", "job", `{"owner": "me"}`}},
		{`field "ID" of kind "job" is new: did you mean id?`, []string{"write", "job", `{"ID": 2}`}},
		{`kind "jbo" is new: did you mean job?`, []string{"write", "jbo", `{"id": 1}`}},
		{`space "defautl" is new: did you mean default?`, []string{"write", "job", `{"id": 1}`, "--space", "defautl"}},
	} {
		r := s.do(t, append(c.args, "--strict")...)
		require.Equal(t, exitUsage, r.code)
		require.Contains(t, r.err, strings.Replace(c.says, "is new", "is not there", 1))
		r = s.do(t, c.args...)
		require.Zero(t, r.code)
		require.Equal(t, "gospaces: "+c.says+"\n", r.err)
		require.Empty(t, s.do(t, c.args...).err, "it is not new any more")
		s.must(t, append(c.args, "--strict")...)
	}
	require.Empty(t, s.do(t, "write", "result", `{"id": 1}`).err)
	require.Equal(t, exitUsage, s.do(t, "write", "other", "{}", "--strict").code)
}

func TestWatch_PrintsEventsUntilInterrupted(t *testing.T) {
	t.Parallel()
	s := memory(t)
	s.must(t, "write", "job", `{"id": 1, "state": "new"}`)
	ctx, interrupt := context.WithCancel(t.Context())
	out, in := io.Pipe()
	done := make(chan int, 1)
	go func() {
		args := []string{"watch", "job", `{"state": "new"}`, "--addr", s.addr}
		done <- run(ctx, args, getenv(nil), strings.NewReader(""), in, t.Output())
		in.Close()
	}()
	// There is no sign from outside that the watch is registered, so entries are written until it shows one.
	var e event
	first := make(chan error, 1)
	go func() { first <- json.NewDecoder(out).Decode(&e) }()
	for shown := false; !shown; {
		s.must(t, "write", "job", `{"id": 2, "state": "old"}`, `{"id": 3, "state": "new"}`)
		select {
		case err := <-first:
			require.NoError(t, err)
			shown = true
		default:
		}
	}
	require.Equal(t, event{
		Type: "written", Seq: e.Seq, ID: e.ID, Kind: "job", Version: 1, Entry: json.RawMessage(`{"id":3,"state":"new"}`),
	}, e)
	go io.Copy(io.Discard, out)
	interrupt()
	require.Equal(t, exitOK, <-done)
}

func TestWatch_TellsOfWhatIsAsked(t *testing.T) {
	t.Parallel()
	s := memory(t)
	id := s.written(t, `{"id": 1}`)
	watched := make(chan result, 1)
	go func() { watched <- s.do(t, "watch", "job", `{"id": 1}`, "--on", "taken,renewed", "--max", "2") }()
	for done := false; !done; { // until the watch is registered and has seen a renewal
		select {
		case r := <-watched:
			lines := strings.Split(strings.TrimSpace(r.out), "\n")
			require.Len(t, lines, 2, r.err)
			for _, line := range lines {
				require.Contains(t, line, `"type":"renewed"`)
				require.Contains(t, line, `"entry":{"id":1}`)
			}
			done = true
		default:
			s.must(t, "renew", id, "--lease", "forever")
		}
	}
	r := s.do(t, "watch", "job", "--on", "finished")
	require.Equal(t, exitUsage, r.code)
	require.Contains(t, r.err, `no event is called "finished"; there are written, taken,`)
}

func TestLeases_AreRenewedAndCancelled(t *testing.T) {
	t.Parallel()
	s := memory(t)
	id := s.written(t, `{"id": 1}`)
	other := s.written(t, `{"id": 2}`, "--lease", "10m")
	require.JSONEq(t, `{"id": `+id+`, "lease": "forever"}`, s.must(t, "renew", id, "--lease", "forever"))
	s.must(t, "cancel", id)
	require.Equal(t, "1\n", s.must(t, "count", "job"))

	r := s.do(t, "renew", id, other, "--lease", "1h")
	require.Equal(t, exitError, r.code)
	require.JSONEq(t, `{"id": `+other+`, "lease": "1h0m0s"}`, r.out)
	require.Equal(t, "gospaces: lease "+id+": ended, or never granted\n", r.err)
	require.Equal(t, exitUsage, s.do(t, "cancel", "x").code)
	require.Equal(t, exitUsage, s.do(t, "renew", other, "--lease", "-1s").code)
}

func TestLeases_AreCapped(t *testing.T) {
	t.Parallel()
	s := memory(t, "--max-lease", "1m")
	granted := func(out string) string {
		var g struct{ Lease string }
		require.NoError(t, json.Unmarshal([]byte(out), &g))
		return g.Lease
	}
	require.Equal(t, "1m0s", granted(s.must(t, "write", "job", `{"id": 1}`)))
	id := s.written(t, `{"id": 2}`)
	require.Equal(t, "1m0s", granted(s.must(t, "renew", id, "--lease", "forever")))
	require.Equal(t, "30s", granted(s.must(t, "renew", id, "--lease", "30s")))
}

// written writes a job and returns its identity.
func (s server) written(t *testing.T, job string, args ...string) string {
	t.Helper()
	var g struct{ ID json.Number }
	require.NoError(t, json.Unmarshal([]byte(s.must(t, append([]string{"write", "job", job}, args...)...)), &g))
	return g.ID.String()
}

func TestKindsSpacesStatusVersion(t *testing.T) {
	t.Parallel()
	s := memory(t)
	s.must(t, "write", "job", `{"id": 1, "state": "new"}`)
	s.must(t, "write", "job", `{"id": 1}`, "--space", "other")
	require.JSONEq(t, `{"kind": "job", "count": 1, "fields": [
		{"name": "id", "class": "int"}, {"name": "state", "class": "string"}
	]}`, s.must(t, "kinds"))
	require.Equal(t, "\"default\"\n\"other\"\n", s.must(t, "spaces"))
	s.must(t, "spaces", "create", "third", "default")
	require.Equal(t, "\"default\"\n\"other\"\n\"third\"\n", s.must(t, "spaces"))
	require.Contains(t, s.must(t, "status"), `{"name":"default","entries":{"ready":1,"held":0,"delayed":0}`)
	require.True(t, json.Valid([]byte(cli(t, "version").out)))
}

func TestExitCodes_TellMistakesApart(t *testing.T) {
	t.Parallel()
	s := memory(t)
	s.must(t, "write", "job", `{"id": 1}`)
	for _, c := range []struct {
		code int
		says string
		args []string
	}{
		{exitUsage, `unknown command "wirte"`, []string{"wirte"}},
		{exitUsage, `"a b" is no name for a space`, []string{"read", "job", "--space", "a b"}},
		{exitUsage, `"a:b:c" is not an address: write host:port`, []string{"read", "job", "--addr", "a:b:c"}},
		{exitUsage, `"foo" is not an address`, []string{"count", "job", "--addr", "localhost:7420,foo"}},
		{exitUsage, `"localhost:70000" is not an address`, []string{"count", "job", "--addr", "localhost:70000"}},
		{exitUsage, "has an empty address", []string{"status", "--addr", ","}},
		{exitUsage, `"/1" is not the id of a transaction or call`, []string{"outcome", "/1"}},
		{exitUsage, `"a b/1" is not the id of a transaction or call`, []string{"outcome", "a b/1"}},
		{exitUsage, `unknown command "wirte" for "gospaces": did you mean gospaces write?`, []string{"help", "wirte"}},
		{exitUsage, `unknown command "lsit" for "gospaces registrations"`, []string{"help", "registrations", "lsit"}},
		{exitUsage, "unknown flag: --fast (see", []string{"read", "job", "--fast"}},
		{exitUsage, "unknown flag: -x", []string{"read", "job", "-x"}},
		{exitUsage, "--wait needs a value", []string{"read", "job", "--wait"}},
		{
			exitUsage, `--wait: "5" is not a duration, as 500ms, 10s, 1h30m or forever are`,
			[]string{"read", "job", "--wait", "5"},
		},
		{
			exitUsage, `--delay: "1y" is not a duration, as 500ms, 10s or 1h30m are`,
			[]string{"write", "job", "{}", "--delay", "1y"},
		},
		{exitUsage, `--max: "x" is not a whole number`, []string{"read", "job", "--max", "x"}},
		{exitUsage, "KIND is missing before the JSON: gospaces write KIND", []string{"write", `{"id": 1}`}},
		{exitUsage, "KIND is missing before the JSON: gospaces take KIND", []string{"take", `{"id": 1}`}},
		{exitUsage, "--max is empty", []string{"read", "job", "--max="}},
		{exitUsage, `--id: "-1" is not a whole number`, []string{"read", "job", "--id", "-1"}},
		{exitUsage, `--all: "x" is not true or false`, []string{"take", "job", "--all=x"}},
		{exitUsage, `--txn: "x" is not the id of a transaction`, []string{"take", "job", "--txn", "x"}},
		{exitUsage, `--callers: "x" is not a list of whole numbers`, []string{"bench", "--callers", "x"}},
		{exitUsage, `--max-memory: "x" is not a number of bytes`, []string{"serve", "--max-memory", "x"}},
		{exitUsage, `--mirror: "x" is not of the form kind=mode`, []string{"serve", "--mirror", "x"}},
		{exitUsage, "--postgres is empty", []string{"serve", "--postgres", ""}},
		{exitUsage, "--workload is empty", []string{"bench", "--workload", ""}},
		{exitUsage, "--duration must be positive", []string{"bench", "--duration", "0s"}},
		{exitUsage, "--order is empty", []string{"read", "job", "--order", ""}},
		{exitUsage, "a part of --order is empty", []string{"take", "job", "--order", "id,,id"}},
		{exitUsage, "--where is empty", []string{"count", "job", "--where", " "}},
		{exitUsage, "--space is empty", []string{"write", "job", "{}", "--space", ""}},
		{exitUsage, "--txn is empty", []string{"write", "job", "{}", "--txn", ""}},
		{exitUsage, "--lease is empty", []string{"write", "job", "{}", "--lease", ""}},
		{exitUsage, "--lease is empty", []string{"txn", "begin", "--lease", ""}},
		{exitUsage, "KIND is empty", []string{"write", "", "{}"}},
		{exitUsage, "KIND is empty", []string{"read", " "}},
		{exitUsage, "KIND is empty", []string{"kinds", "drop", ""}},
		{exitUsage, "JSON is empty", []string{"read", "job", ""}},
		{exitUsage, "NAME is empty", []string{"spaces", "create", ""}},
		{exitUsage, "FILE is empty", []string{"backup", ""}},
		{exitUsage, "ID is missing: gospaces renew ID...", []string{"renew"}},
		{exitUsage, "FILE is missing: gospaces restore FILE --data FOLDER", []string{"restore"}},
		{exitUsage, `"c" is one operand too many: gospaces count [KIND [JSON]]`, []string{"count", "a", "b", "c"}},
		{exitUsage, `"foo" is one operand too many: gospaces status`, []string{"status", "foo"}},
		{
			exitUsage, `unknown command "lsit" for "gospaces registrations": did you mean gospaces registrations list?`,
			[]string{"registrations", "lsit"},
		},
		{
			exitUsage, `unknown command "crate" for "gospaces spaces": did you mean gospaces spaces create?`,
			[]string{"spaces", "crate"},
		},
		{exitUsage, "the JSON ends early", []string{"read", "job", "{"}},
		{exitUsage, "not a JSON object", []string{"count", "job", "[1]"}},
		{exitUsage, "not a JSON object", []string{"write", "job", "[1]"}},
		{exitUsage, "not JSON: invalid character 'x'", []string{"read", "job", "x"}},
		{exitUsage, "not JSON: invalid character 'x'", []string{"write", "job", "x"}},
		{exitUsage, "KIND is missing: gospaces read KIND [JSON] (see `gospaces read --help`)", []string{"read"}},
		{exitUsage, "a value is missing", []string{"read", "job", "--where", "id ="}},
		{exitUsage, `kind "job" has no field "di": did you mean id?`, []string{"read", "job", "--where", "di = 1"}},
		{exitUsage, `kind "job" has no field "other"; it has id`, []string{"read", "job", "--where", "other = 1"}},
		{exitUsage, `kind "job" has no field "ID": did you mean id?`, []string{"read", "job", `{"ID": 1}`}},
		{
			exitUsage, "the operators are = != < <= > >= and ^= (prefix); quote a value that begins with >",
			[]string{"read", "job", "--where", "id => 1"},
		},
		{exitUsage, "quote a value that begins with =", []string{"read", "job", "--where", "id == 1"}},
		{exitUsage, "quote a value that begins with >", []string{"read", "job", "--where", "id <> 1"}},
		{
			exitUsage, "give each condition a --where of its own",
			[]string{"read", "job", "--where", "id > 1 and id < 3"},
		},
		{exitUsage, "SPACE is missing: gospaces cluster move SPACE[/PARTITION]", []string{"cluster", "move"}},
		{exitUsage, `"a/b" names no partition`, []string{"cluster", "move", "a/b", "--to", "a"}},
		{exitUsage, `only letters, digits, '-' and '_' are allowed`, []string{"spaces", "create", "no/name"}},
		{
			exitUsage, "a space of 1000 partitions; it has 1 to 256",
			[]string{"spaces", "create", "x", "--partitions", "1000"},
		},
		{exitError, "is not a node of a cluster: start one with", []string{"cluster", "drain", "a"}},
		{exitError, "ended, or never granted", []string{"cancel", "99999"}},
		{exitNoMatch, `there is no space "nope"`, []string{"spaces", "drop", "nope"}},
		{exitNoMatch, `space "default" has no kind "nope"`, []string{"kinds", "drop", "nope"}},
		{
			exitUsage, `field "id" of kind "job": list [null,"a"] does not fit a field of class int`,
			[]string{"write", "job", `{"id": [null, "a"]}`},
		},
		{exitUsage, `field "id" is of class int, and "x" is no such value`, []string{"read", "job", "--where", "id = x"}},
		{exitUsage, `has no field "di": did you mean id?`, []string{"read", "job", `{"di": 1}`}},
		{exitUsage, `has no field "di": did you mean id?`, []string{"read", "job", "--order", "-di"}},
		{exitUsage, "--all is every match", []string{"take", "job", "--all", "--max", "3"}},
		{exitUsage, "--wait must not be negative", []string{"take", "job", "--wait", "-1s"}},
		{exitUsage, "has no --order", []string{"read", "job", "--order", "id", "--all"}},
		{exitUsage, "--lease must not be negative", []string{"write", "job", "{}", "--lease", "-1s"}},
		{exitUsage, `--log-format is "xml"`, []string{"serve", "--log-format", "xml"}},
		{exitUsage, `--log-level: "loud" is not debug, info, warn or error`, []string{"serve", "--log-level", "loud"}},
		{exitUsage, "no such file", []string{"serve", "--config", "none"}},
		{exitUsage, `unknown command "begni" for "gospaces txn"`, []string{"txn", "begni"}},
		{exitUsage, `unknown command "lsit"`, []string{"deadletters", "lsit"}},
		{exitUsage, "--id is a number from 1 on", []string{"take", "job", "--id", "0"}},
		{exitUsage, "no event is called", []string{"watch", "job", "--on", "gone"}},
		{exitUsage, "--on is empty", []string{"watch", "job", "--on", ""}},
		{exitUsage, "--max must not be negative", []string{"watch", "job", "--max", "-1"}},
		{exitUsage, "JSON is empty", []string{"write", "job", ""}},
		{exitUsage, "--addr is empty", []string{"count", "--addr", ""}},
		{exitUsage, "is of another space", []string{"cancel", "other/7"}},
		{exitUsage, "--data is empty", []string{"restore", "backup", "--data", ""}},
		{exitUsage, "--data is empty", []string{"load", "--all", "--postgres", "dbname=x", "--data", ""}},
		{exitUsage, `durability is "paper"`, []string{"bench", "--durability", "paper"}},
		{exitUsage, "see `gospaces txn commit --help`", []string{"txn", "commit"}},
		{exitUsage, "entry 1: field", []string{"write", "job", `{"id": "x"}`}},
		{
			exitUsage, "number 99999999999999999999: value out of range",
			[]string{"write", "job", `{"id": 99999999999999999999}`},
		},
		{exitUsage, "entry 2: field", []string{"write", "job", `{"id": 2}`, `{"id": "x"}`}},
		{exitError, "2 leases (98, 99): ended, or never granted", []string{"cancel", "98", "99"}},
		{exitError, `the space has no kind "task" yet`, []string{"watch", "task", `{"id": 1}`}},
		{exitNoMatch, "", []string{"take", "task", `{"id": 1}`, "--wait", "1ms"}},
		{exitNoMatch, "", []string{"take", "task", `{"id": 1}`}},
		{exitNoMatch, "", []string{"read", "job", `{"id": 2}`}},
		{exitOK, "", []string{"read", "job", `{"id": 1}`}},

		{exitUsage, "say --max 1000", []string{"read", "job", "--all", "--order", "id"}},
		{exitUsage, "at most 1000 entries in an --order", []string{"read", "job", "--max", "2000", "--order", "id"}},
		{exitUsage, "did you mean gospaces write?", []string{"put", "job", "{}"}},
		{exitUsage, "did you mean gospaces spaces?", []string{"ls"}},
		{exitUsage, "did you mean gospaces spaces drop?", []string{"spaces", "rm", "orders"}},
		{exitUsage, "did you mean --lease?", []string{"write", "job", "{}", "--ttl", "5s"}},
		{exitUsage, "did you mean --listen?", []string{"serve", "--port", "7420"}},
		{exitUsage, "did you mean --addr?", []string{"status", "--host", "there"}},
		{exitUsage, "--addr means nothing to gospaces deadletters", []string{"deadletters", "list", "--addr", "there"}},
		{exitUsage, "--addr means nothing without --cluster", []string{"restore", "b", "--addr", "there"}},
		{exitUsage, "--space means nothing to gospaces verify", []string{"verify", "b", "--space", "orders"}},
		{exitUsage, "--space means nothing to gospaces backup", []string{"backup", "b", "--space", "orders"}},
		{exitUsage, "--postgres is missing", []string{"deadletters"}},
		{exitUsage, `no connection string such as postgres://`, []string{"deadletters", "--postgres", "foo"}},
		{exitError, "transaction ended, or never began: `gospaces outcome ID` tells", []string{"read", "job", "--txn", "99"}},
	} {
		r := s.do(t, c.args...)
		require.Equal(t, c.code, r.code, "%v: %s", c.args, r.err)
		require.Contains(t, r.err, c.says, "%v", c.args)
		require.NotRegexp(t, `\b(space|template|replication|writeback|client): `, r.err)
		require.LessOrEqual(t, strings.Count(r.err, "\n"), 1, "one line: %s", r.err)
	}
}

func TestNoServer_SaysWhatToDo(t *testing.T) {
	t.Parallel()
	s := memory(t)
	s.stop()
	r := s.do(t, "read", "job")
	require.Equal(t, exitError, r.code)
	require.Contains(t, r.err, "no server at "+s.addr+": start one with `gospaces serve`")
}

func TestOtherServer_IsToldFromNone(t *testing.T) {
	t.Parallel()
	other, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer other.Close()
	go func() {
		if c, err := other.Accept(); err == nil {
			_, _ = c.Read(make([]byte, 1<<10)) // what is not read would make the end a reset
			c.Close()
		}
	}()
	r := cli(t, "--addr", other.Addr().String(), "count")
	require.Equal(t, exitError, r.code)
	require.Contains(t, r.err, "does not answer as a gospaces server: name another with --addr")
}

// A server that hangs accepts connections: that it is one cannot be told.
func TestHangingServer_IsToldFromAnother(t *testing.T) {
	t.Parallel()
	a := &app{addr: "h:7420"}
	err := a.dialError(fmt.Errorf("client: dial h:7420: %w: no answer to the handshake within 5s", client.ErrNoAnswer))
	require.EqualError(t, err, "something listens at h:7420, and does not answer: a server that hangs, or another "+
		"program (client: dial h:7420: not a gospaces server, or one that hangs: no answer to the handshake within 5s)")
}

func TestHelp_HasExamplesAndExitCodes(t *testing.T) {
	t.Parallel()
	root := (&app{}).command()
	for _, cmd := range root.Commands() {
		require.NotEmpty(t, cmd.Short, cmd.Name())
	}
	out := cli(t, "--help").out
	require.Contains(t, out,
		"Exit codes: 0 done, 1 error, 2 the command line or the JSON is wrong, 3 nothing matched, 4 the log or the space\n"+
			"is full: try again later, 141 the reader of the output has gone.")
	require.Contains(t, out, "gospaces take job")
	require.Contains(t, cli(t, "take", "--help").out, "Examples:")
	require.Equal(t, cli(t, "take", "--help"), cli(t, "help", "take"))
	require.Equal(t, cli(t, "spaces", "drop", "--help"), cli(t, "help", "spaces", "drop"))
	require.Equal(t, out, cli(t, "help").out)
}

func TestTxn_FromTheCommandLine(t *testing.T) {
	t.Parallel()
	s := memory(t, "--max-txn", "30s")
	s.must(t, "write", "job", `{"id": 1}`, `{"id": 2}`)
	for _, end := range []string{"abort", "commit"} {
		out, in := io.Pipe()
		done := make(chan int, 1)
		ctx, interrupt := context.WithCancel(t.Context())
		defer interrupt()
		go func() {
			args := []string{"txn", "begin", "--addr", s.addr, "--lease", "300ms"}
			done <- run(ctx, args, getenv(nil), strings.NewReader(""), in, t.Output())
		}()
		var b begun
		require.NoError(t, json.NewDecoder(out).Decode(&b))
		require.Equal(t, "300ms", b.Lease)
		_, number, _ := strings.Cut(b.Txn, "/")
		require.Equal(t, "default/"+number, b.Txn)

		require.Equal(t, `{"id":1}`+"\n", s.must(t, "take", "job", "--txn", b.Txn))
		s.must(t, "write", "job", `{"id": 3}`, "--txn", number)
		require.Equal(t, "2\n", s.must(t, "count", "job", "--txn", b.Txn))
		require.Equal(t, "1\n", s.must(t, "count", "job"))
		s.must(t, "txn", end, b.Txn)
		require.Equal(t, exitOK, <-done, "it notices that the transaction has ended")
		r := s.do(t, "txn", end, b.Txn)
		require.Equal(t, exitError, r.code)
		require.Equal(t, "gospaces: "+b.Txn+": transaction ended: `gospaces outcome "+b.Txn+
			"` tells whether it was committed\n", r.err)
	}
	require.Equal(t, []string{"2", "3"}, ids(t, s.must(t, "read", "job", "--all")))
}

func TestHeld_TellsWhoHoldsWhat(t *testing.T) {
	t.Parallel()
	s := memory(t)
	for _, job := range []string{`{"id": 1}`, `{"id": 2}`, `{"id": 3}`} {
		s.must(t, "write", "job", job)
	}
	s.must(t, "write", "job", `{"id": 4}`, "--delay", "1h")
	require.Equal(t, exitNoMatch, s.do(t, "read", "job", "--held").code)
	require.Equal(t, "0\n", s.must(t, "count", "job", "--held"))

	ctx, interrupt := context.WithCancel(t.Context())
	out, in := io.Pipe()
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, []string{"txn", "begin", "--addr", s.addr, "--lease", "1h"}, getenv(nil), strings.NewReader(""), in,
			t.Output())
	}()
	var b begun
	require.NoError(t, json.NewDecoder(out).Decode(&b))
	s.must(t, "take", "job", `{"id": 2}`, "--txn", b.Txn)

	var found struct {
		ID   int
		Held heldBy `json:"_held"`
	}
	require.NoError(t, json.Unmarshal([]byte(s.must(t, "read", "job", "{}", "--held", "--all")), &found))
	require.Equal(t, 2, found.ID)
	require.Equal(t, b.Txn, found.Held.Txn)
	require.Regexp(t, fmt.Sprintf(":%d$", os.Getpid()), found.Held.Holder)
	require.NotZero(t, found.Held.ID)
	require.True(t, found.Held.Since.Before(found.Held.Until))
	require.Equal(t, "1\n", s.must(t, "count", "job", "--held"))
	require.Equal(t, "2\n", s.must(t, "count", "job"))
	require.Contains(t, s.must(t, "status"), `"entries":{"ready":2,"held":1,"delayed":1}`)
	const more = "1 more is held by a transaction\n"
	for _, args := range [][]string{{"--all"}, {"--all", "--wait", "1s"}} {
		r := s.do(t, append([]string{"read", "job"}, args...)...)
		require.Equal(t, result{out: r.out, err: more}, r)
		require.Equal(t, []string{"1", "3"}, ids(t, r.out))
	}
	require.Equal(t, more, s.do(t, "read", "job", `{"id": 2}`, "--all").err)
	require.Empty(t, s.do(t, "read", "job", `{"id": 1}`, "--all").err)
	for _, args := range [][]string{
		{"read", "job", "--held", "--wait", "1s"},
		{"read", "job", "--held", "--if-exists"},
		{"read", "job", "--held", "--txn", b.Txn},
		{"count", "job", "--held", "--txn", b.Txn},
		{"take", "job", "--held"},
	} {
		require.Equal(t, exitUsage, s.do(t, args...).code, args)
	}
	interrupt()
	require.Equal(t, exitOK, <-done)
	require.Equal(t, "0\n", s.must(t, "count", "job", "--held"))
}

func TestTxn_InterruptedIsAborted(t *testing.T) {
	t.Parallel()
	s := memory(t)
	s.must(t, "write", "job", `{"id": 1}`)
	ctx, interrupt := context.WithCancel(t.Context())
	out, in := io.Pipe()
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, []string{"txn", "begin", "--addr", s.addr}, getenv(nil), strings.NewReader(""), in, t.Output())
	}()
	var b begun
	require.NoError(t, json.NewDecoder(out).Decode(&b))
	s.must(t, "take", "job", "--txn", b.Txn)
	interrupt()
	require.Equal(t, exitOK, <-done)
	require.Equal(t, "1\n", s.must(t, "count", "job"))
}

func TestIDAndDelay(t *testing.T) {
	t.Parallel()
	s := memory(t)
	var w written
	require.NoError(t, json.Unmarshal([]byte(s.must(t, "write", "job", `{"id": 1}`)), &w))
	id := strconv.Itoa(int(w.ID))
	s.must(t, "write", "job", `{"id": 2}`, "--delay", "1h")
	require.Equal(t, "1\n", s.must(t, "count", "job"))
	require.Equal(t, `{"id":1}`+"\n", s.must(t, "read", "--id", id))
	require.Equal(t, exitNoMatch, s.do(t, "read", "job", `{"id": 2}`, "--id", id).code)
	require.Equal(t, `{"id":1}`+"\n", s.must(t, "take", "job", "--id", id, "--wait", "1s"))
	require.Equal(t, exitNoMatch, s.do(t, "take", "--id", id, "--wait", "forever").code,
		"an entry that is gone is not waited for")
	for _, args := range [][]string{
		{"take", "--id", id, "--all"},
		{"take", "--id", "x"},
		{"take"},
		{"write", "job", "{}", "--delay", "-1s"},
		{"count", "--txn", "x"},
		{"txn", "commit", "x"},
		{"txn", "commit"},
		{"txn", "begin", "--lease", "0s"},
	} {
		require.Equal(t, exitUsage, s.do(t, args...).code, "%v", args)
	}
}

// What users of other programs type first.
func TestCommands_AlsoUnderTheNamesThatUsersExpect(t *testing.T) {
	t.Parallel()
	s := memory(t)
	s.must(t, "write", "job", `{"id": 1}`)
	for _, name := range []string{"spaces", "kinds"} {
		require.Equal(t, s.must(t, name), s.must(t, name, "list"))
		require.NotEmpty(t, s.must(t, name, "list", "--json=false"))
	}
	require.Empty(t, s.must(t, "registrations"))
	require.Empty(t, s.must(t, "registrations", "list"))
	require.Equal(t, "gospaces "+thisBuild().Version+"\n", cli(t, "--version").out)
	require.Contains(t, cli(t, "version").out, `"version"`)
}

// A folder that another server has open, or that is not empty, is named, and the flag that names another.
func TestFolder_MessagesNameIt(t *testing.T) {
	t.Parallel()
	data, file := t.TempDir(), filepath.Join(t.TempDir(), "backup")
	s := serve(t, "--data", data)
	s.must(t, "backup", file)
	for _, args := range [][]string{
		{"serve", "--data", data, "--listen", "127.0.0.1:0"},
		{"restore", file, "--data", data},
		{"verify", "--data", data},
	} {
		r := cli(t, args...)
		require.Equal(t, exitError, r.code, args)
		require.Contains(t, r.err, data, args)
		require.Contains(t, r.err, "with --data", args)
	}
	r := cli(t, "serve", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--postgres", "foo")
	require.Equal(t, exitUsage, r.code)
	require.Contains(t, r.err, "--postgres, or $GOSPACES_POSTGRES, is no connection string such as")
}
