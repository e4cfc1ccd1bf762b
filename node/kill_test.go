package node_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/node"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/spacetest"
)

// killEnv tells this program, run again by a test, that it is to be killed, and when.
const killEnv = "TEST_KILL"

func TestMain(m *testing.M) {
	if plan := os.Getenv(killEnv); plan != "" {
		if err := runKilled(context.Background(), plan); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	spacetest.Main(m)
}

// killer kills this process with SIGKILL at an append to the log of any space.
type killer struct {
	at     int64 // number of the append
	after  bool  // after it, not before
	armed  atomic.Bool
	append atomic.Int64 // appends since it was armed
}

type killingLog struct {
	partition.Log
	k *killer
}

func (l killingLog) Append(msg []byte) error {
	due := l.k.armed.Load() && l.k.append.Add(1) == l.k.at
	if due && !l.k.after {
		die()
	}
	err := l.Log.Append(msg)
	if due {
		die()
	}
	return err
}

func die() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

// runKilled opens a node and runs a transaction over all its spaces, unless it is killed. It prints "committed" after a
// successful commit.
func runKilled(ctx context.Context, plan string) error {
	k := new(killer)
	var dir string
	if _, err := fmt.Sscanf(plan, "%d %t %s", &k.at, &k.after, &dir); err != nil {
		return err
	}
	n, err := node.Start(ctx,
		node.WithLog(node.Config{Listen: "127.0.0.1:0", Data: dir}, func(_ string, l partition.Log) partition.Log {
			return killingLog{l, k}
		}))
	if err != nil {
		return err
	}
	cl, err := client.Dial(ctx, n.Addr())
	if err != nil {
		return err
	}
	for _, sp := range []space.Space{cl, cl.SpaceNamed("a"), cl.SpaceNamed("b"), cl.SpaceNamed("c")} {
		if _, err := space.Count(ctx, sp, Account{}); err != nil { // kinds and handles are known from here on
			return err
		}
	}
	k.armed.Store(true)
	if err := spend(ctx, cl); err != nil {
		return err
	}
	fmt.Println("committed")
	for !n.Settled() {
		time.Sleep(time.Millisecond)
	}
	if err := cl.Close(); err != nil {
		return err
	}
	return n.Close(ctx)
}

// spend moves money from a to b and c, and reads in the default space.
func spend(ctx context.Context, cl *client.Client) error {
	t, err := space.Begin(ctx, cl.SpaceNamed("a"))
	if err != nil {
		return err
	}
	if _, err := space.Count(ctx, cl, Account{}, space.In(t)); err != nil {
		return err
	}
	for name, amount := range map[string]int{"a": -2, "b": 1, "c": 1} {
		if err := add(ctx, t, cl.SpaceNamed(name), amount); err != nil {
			return err
		}
	}
	return t.Commit(ctx)
}

// TestSpan_KilledAtEveryStep kills a server before and after each append to a log during a transaction over three
// spaces. After the restart only the effects of the transaction remain, in all spaces or in none.
func TestSpan_KilledAtEveryStep(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n, cl, _, _, _ := banks(t, node.Config{Data: dir})
	closeAll(t, cl, n)
	spent, kept := 0, 0
	for at := 1; ; at++ {
		for _, after := range []bool{false, true} {
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %t %s", killEnv, at, after, dir))
			var stderr strings.Builder
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			killed := cmd.ProcessState.Sys().(syscall.WaitStatus).Signaled()
			require.True(t, killed || err == nil, "%v: %s", err, &stderr)
			committed := strings.Contains(string(out), "committed")
			t.Logf("step %d, after: %t, killed: %t, committed: %t", at, after, killed, committed)

			moved := checkSpent(t, dir, spent, committed)
			spent += moved
			kept += 1 - moved
			if !killed {
				require.Greater(t, at, 6, "two prepares, a decision, two commits, and that it may be forgotten")
				require.Positive(t, kept)
				return
			}
		}
	}
}

// checkSpent opens a node on the folder, in which money was spent a known number of times, and returns 1 if it was
// spent once more.
func checkSpent(t *testing.T, dir string, spent int, committed bool) int {
	t.Helper()
	n := open(t, node.Config{Data: dir})
	require.True(t, n.Settled(), "before the first call")
	cl, err := client.Dial(t.Context(), n.Addr())
	require.NoError(t, err)
	got := []int{amount(t, cl.SpaceNamed("a")), amount(t, cl.SpaceNamed("b")), amount(t, cl.SpaceNamed("c"))}
	closeAll(t, cl, n)
	moved := (100 - got[0]) / 2
	require.Equal(t, []int{100 - 2*moved, 100 + moved, 100 + moved}, got)
	require.Contains(t, []int{spent, spent + 1}, moved)
	if committed {
		require.Equal(t, spent+1, moved, "it was said to be committed")
	}
	return moved - spent
}
