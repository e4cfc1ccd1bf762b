package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// messagesOf returns the folder of the messages of a space.
func messagesOf(t *testing.T, dir, space string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "standalone", "jetstream", "*", "streams", "log-"+space+"-0", "msgs"))
	require.NoError(t, err)
	require.Len(t, found, 1)
	return found[0]
}

// What was acknowledged and is not there is noticed after a kill, too. The space is refused for all to see, and the
// others are served.
func TestServe_RefusesASpaceThatLacksSomething(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := serveProcess(t, "--data", dir)
	first.must(t, "write", "job", `{"id": 1}`)
	first.must(t, "write", "job", "--space", "orders", `{"id": 1}`, `{"id": 2}`)
	seen := filepath.Join(dir, "snapshots", "orders-0", "seen.json")
	require.Eventually(t, func() bool { // it is noted within a second
		var noted struct{ Position uint64 }
		b, _ := os.ReadFile(seen)
		return json.Unmarshal(b, &noted) == nil && noted.Position > 1
	}, time.Minute, 10*time.Millisecond)
	require.NoError(t, first.cmd.Process.Kill())
	_ = first.cmd.Wait() // it was killed
	require.NoError(t, os.Remove(filepath.Join(messagesOf(t, dir, "orders"), "1.blk")))

	second := serveProcess(t, "--data", dir)
	require.Equal(t, "1\n", second.must(t, "count", "job"))
	r := second.do(t, "write", "job", "--space", "orders", `{"id": 3}`)
	require.NotZero(t, r.code)
	require.Regexp(t, `orders/0 ends at position 0; it had reached position \d+.*--accept-loss`, r.err)
	require.Contains(t, second.must(t, "status"), "orders/0 ends at position 0")
	r = second.do(t, "spaces", "drop", "orders")
	require.Equal(t, exitError, r.code)
	require.Contains(t, r.err, "nothing was dropped")
	require.NoError(t, second.cmd.Process.Signal(os.Interrupt))
	require.NoError(t, second.cmd.Wait())
	require.Equal(t, 1, strings.Count(second.stderr.String(), "orders/0 ends at position 0"), "one line tells")
	require.Contains(t, second.stderr.String(), "space refused")
	r = cli(t, "verify", dir)
	require.Equal(t, exitUsage, r.code)
	require.Contains(t, r.err, "--data "+dir)
	r = cli(t, "verify", "--data", dir)
	require.Equal(t, exitError, r.code)
	require.Contains(t, r.out, `"space":"default"`)
	require.Contains(t, r.err, "orders/0 ends at position 0")

	third := serveProcess(t, "--data", dir, "--accept-loss")
	require.Equal(t, "0\n", third.do(t, "count", "job", "--space", "orders").out)
	var w written
	require.NoError(t, json.Unmarshal([]byte(third.must(t, "write", "job", "--space", "orders", `{"id": 4}`)), &w))
	require.Greater(t, uint64(w.ID), uint64(1<<30))

	require.NoError(t, os.RemoveAll(messagesOf(t, dir, "orders")))
	require.Eventually(t, func() bool {
		return third.do(t, "write", "job", "--space", "orders", `{"id": 5}`).code != 0
	}, time.Minute, time.Millisecond)
	require.Equal(t, "1\n", third.must(t, "count", "job"), "the other space is served")
	third.must(t, "write", "job", `{"id": 6}`)
	require.NoError(t, third.cmd.Process.Kill())
	_ = third.cmd.Wait() // it was killed
}

// What is refused can be dropped by name, while the others are served.
func TestSpacesDrop_OfARefusedOne(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := serveProcess(t, "--data", dir)
	first.must(t, "write", "job", `{"id": 1}`)
	first.must(t, "write", "job", "--space", "orders", `{"id": 1}`)
	require.NoError(t, first.cmd.Process.Signal(os.Interrupt))
	require.NoError(t, first.cmd.Wait())
	require.NoError(t, os.Remove(filepath.Join(messagesOf(t, dir, "orders"), "1.blk")))

	second := serveProcess(t, "--data", dir)
	require.NotZero(t, second.do(t, "count", "job", "--space", "orders").code)
	require.Equal(t, `{"dropped":"orders"}`+"\n", second.do(t, "spaces", "drop", "orders", "--yes").out)
	require.Equal(t, `"default"`+"\n", second.must(t, "spaces"))
	require.Equal(t, "0\n", second.do(t, "count", "job", "--space", "orders").out)
	require.Equal(t, "1\n", second.must(t, "count", "job"))
	second.must(t, "write", "job", "--space", "orders", `{"id": 2}`)
	require.NoError(t, second.cmd.Process.Signal(os.Interrupt))
	require.NoError(t, second.cmd.Wait())

	third := serveProcess(t, "--data", dir)
	require.Equal(t, "1\n", third.must(t, "count", "job", "--space", "orders"))
}
