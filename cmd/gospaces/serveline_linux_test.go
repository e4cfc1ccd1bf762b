package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The log of a server begins with a line that tells what it serves; that it is open to others is a warning.
func TestServe_SaysWhatItServes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := serveProcess(t, "--data", dir)
	s.must(t, "write", "job", `{"id": 1}`, `{"id": 2}`)
	require.NoError(t, s.cmd.Process.Kill())
	_ = s.cmd.Wait()

	s = serveProcess(t, "--data", dir, "--listen", "0.0.0.0:0")
	require.NoError(t, s.cmd.Process.Kill())
	_ = s.cmd.Wait()
	lines := strings.Split(strings.TrimSpace(s.stderr.String()), "\n")
	require.Len(t, lines, 2, "%s", s.stderr)
	require.Regexp(t,
		`level=INFO msg=serving address=\S+ version=\S+ durability=logged data=`+dir+
			` mirror=none spaces=1 entries=2 recovery=`, lines[0])
	require.Regexp(t, `level=WARN msg="nothing protects this address.*" address=\S+:\d+$`, lines[1])
}
