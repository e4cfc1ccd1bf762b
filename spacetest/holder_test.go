package spacetest_test

import (
	"bufio"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/spacetest"
)

// holderVariable names the environment variable that makes TestHolder a process which takes a job of the server at that
// address, and keeps it.
const holderVariable = "SPACETEST_HOLDER"

type chore struct{ ID int64 }

// TestHolder is the process that TestKill_HolderDiesToo starts.
func TestHolder(t *testing.T) {
	addr := os.Getenv(holderVariable)
	if addr == "" {
		t.Skip("it is a part of TestKill_HolderDiesToo")
	}
	c, err := client.Dial(t.Context(), addr)
	require.NoError(t, err)
	_, _, err = space.TakeTxn(t.Context(), c, chore{}, space.For(time.Hour))
	require.NoError(t, err)
	_, err = space.Write(t.Context(), c, chore{ID: 2}) // what is taken is in the log then
	require.NoError(t, err)
	_, err = os.Stdout.WriteString("held\n")
	require.NoError(t, err)
	select {}
}

// A job whose holder is killed along with the server comes back when the server has waited for the holder, long before
// the lease is over.
func TestKill_HolderDiesToo(t *testing.T) {
	t.Parallel()
	const resume = 2 * time.Second
	s := spacetest.Server(t, spacetest.ServerConfig{Resume: resume})
	c := s.Dial(t)
	_, err := space.Write(t.Context(), c, chore{ID: 1})
	require.NoError(t, err)
	holder := exec.Command(os.Args[0], "-test.run=^TestHolder$")
	holder.Env = append(os.Environ(), holderVariable+"="+s.Addr())
	out, err := holder.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, holder.Start())
	defer holder.Wait()
	defer holder.Process.Kill()
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "held\n", line)

	require.NoError(t, holder.Process.Kill())
	s.Kill()
	began := time.Now()
	s.Start()
	_, err = space.Take(t.Context(), c, chore{ID: 1})
	require.NoError(t, err)
	require.GreaterOrEqual(t, time.Since(began), resume, "its holder might have come back")
}
