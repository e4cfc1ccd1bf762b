package replication

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/record"
)

// crashNode holds the configuration of a node of a cluster that this program, run as a child of its own test, is until
// it is killed.
const crashNode = "TEST_CRASH_NODE"

// node is what a child does.
type node struct {
	Dir, Name string
	Peers     []Peer
	Appends   bool // it claims the log, and continues the numbers in it; otherwise it only leads the stream
}

// runNode prints "leads" once the node leads the log's stream, and each number once it is acknowledged.
func runNode(config string) error {
	var n node
	if err := json.Unmarshal([]byte(config), &n); err != nil {
		return err
	}
	ctx := context.Background()
	s, err := Open(ctx, Config{Dir: n.Dir, Cluster: &Cluster{Name: "test", Node: n.Name, Peers: n.Peers}})
	if err != nil {
		return err
	}
	l, err := s.Log(ctx, "test", 0)
	if err != nil {
		return err
	}
	for !l.Raft().Leads {
		if err := l.LeadHere(); err != nil {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
	fmt.Println("leads")
	if !n.Appends {
		select {}
	}
	var got []uint64
	if err := replay(ctx, l, 0, into(&got), nil); err != nil {
		return err
	}
	for n := uint64(len(got)) + 1; ; n++ {
		if err := l.Append(commit(n, int(n%3000))); err != nil {
			return err
		}
		fmt.Println(n)
	}
}

// child is a node in a process of its own.
type child struct {
	t       testing.TB
	cmd     *exec.Cmd
	lines   *bufio.Scanner
	errs    text
	stopped sync.Once
}

// text is what has been written so far.
type text struct {
	mu sync.Mutex
	b  strings.Builder // guarded by mu
}

func (t *text) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.Write(b)
}

func (t *text) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}

// child starts a node as a process, and returns when it leads the log's stream.
func (k *trio) child(i int, appends bool) *child {
	k.t.Helper()
	if !linked {
		k.t.Skip("who leads a stream is not known")
	}
	k.stop(i)
	c := k.config(i).Cluster
	config, err := json.Marshal(node{k.dirs[i], c.Node, c.Peers, appends})
	require.NoError(k.t, err)
	p := &child{t: k.t, cmd: exec.CommandContext(k.t.Context(), os.Args[0])}
	p.cmd.Env = append(os.Environ(), crashNode+"="+string(config))
	p.cmd.Stderr = &p.errs
	out, err := p.cmd.StdoutPipe()
	require.NoError(k.t, err)
	require.NoError(k.t, p.cmd.Start())
	k.t.Cleanup(func() { p.end(syscall.SIGKILL) })
	p.lines = bufio.NewScanner(out)
	require.Equal(k.t, "leads", p.line(), p.errs.String())
	return p
}

// line returns the next line that the child prints, or "".
func (c *child) line() string {
	if c.lines.Scan() {
		return c.lines.Text()
	}
	return ""
}

// reach reads what the child prints until it has acknowledged a number.
func (c *child) reach(n uint64) {
	c.t.Helper()
	for {
		line := c.line()
		got, err := strconv.ParseUint(line, 10, 64)
		require.NoError(c.t, err, "%q, %s", line, c.errs.String())
		if got >= n {
			return
		}
	}
}

// rest returns the last number that the child acknowledges before its end.
func (c *child) rest() (last uint64) {
	for c.lines.Scan() {
		last, _ = strconv.ParseUint(c.lines.Text(), 10, 64)
	}
	return last
}

func (c *child) signal(s syscall.Signal) { require.NoError(c.t, c.cmd.Process.Signal(s)) }

// end ends the child with a signal, or waits for its end.
func (c *child) end(s syscall.Signal) {
	c.stopped.Do(func() {
		_ = c.cmd.Process.Signal(s)
		_ = c.cmd.Wait()
	})
}

// elect nudges nodes until one of them leads the log's group, as the keeper of a cluster does.
func elect(t testing.TB, logs ...*Log) {
	t.Helper()
	if !linked {
		return // they elect in their own time
	}
	leads := func() bool {
		for _, l := range logs {
			if l.Raft().Leads {
				return true
			}
		}
		return false
	}
	for try := 0; !leads(); try++ {
		best := logs[try%len(logs)]
		for _, l := range logs {
			if l.Raft().Index > best.Raft().Index {
				best = l
			}
		}
		require.NoError(t, best.Nudge())
		for until := time.Now().Add(600 * time.Millisecond); time.Now().Before(until) && !leads(); {
			time.Sleep(5 * time.Millisecond)
		}
	}
	for _, l := range logs {
		l.Beat()
	}
}

// seen is what an applier has seen: a hash for each position.
type seenBy struct {
	mu   sync.Mutex
	hash map[uint64]uint64
	got  []uint64
}

func (s *seenBy) apply(g record.Group) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := fnv.New64a()
	fmt.Fprint(h, s.hash[g.Position-1], g.Position, g.Clock)
	_, _ = h.Write(g.Records)
	s.hash[g.Position] = h.Sum64()
	return into(&s.got)(g)
}

// apply follows a log from its beginning.
func apply(t testing.TB, l *Log) *seenBy {
	t.Helper()
	s := &seenBy{hash: map[uint64]uint64{0: 0}}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Follow(ctx, 0, s.apply) }()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return s
}

// at waits until the applier has come to a position, and returns the hash there, and the numbers up to then.
func (s *seenBy) at(t testing.TB, position uint64) (hash uint64, got []uint64) {
	t.Helper()
	require.Eventually(t, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		hash, got = s.hash[position], append([]uint64(nil), s.got...)
		return hash != 0
	}, time.Minute, time.Millisecond)
	return hash, got
}

func TestKill_OfTheLeaderOfTheStream(t *testing.T) {
	t.Parallel()
	k := newTrio(t, nil)
	logs := k.logs()
	a, b := logs[0], logs[1]
	c := k.child(2, false)
	followers := []*seenBy{apply(t, a), apply(t, b)}
	require.NoError(t, replay(t.Context(), a, 0, ignore, nil))
	appendAll(t, a, 1, 20)
	require.Equal(t, "c", a.Raft().Leader)
	require.False(t, a.Raft().Leads)
	c.end(syscall.SIGKILL)
	began := time.Now()
	acknowledged := make(chan error, 1)
	go func() { acknowledged <- a.Append(commit(21, 100)) }()
	elect(t, a, b)
	require.NoError(t, <-acknowledged)
	t.Log("paused for", time.Since(began))
	require.Zero(t, a.Overdue())
	appendAll(t, a, 22, 40)

	k.start(2)
	last := k.log(2)
	followers = append(followers, apply(t, last))
	appendAll(t, a, 41, 50)
	want, _ := followers[0].at(t, a.Last())
	for _, f := range followers {
		hash, got := f.at(t, a.Last())
		require.Equal(t, upTo(50), got)
		require.Equal(t, want, hash)
	}
}

func TestKill_OfThePrimary(t *testing.T) {
	t.Parallel()
	k := newTrio(t, nil)
	logs := k.logs()
	a, b := logs[0], logs[1]
	followers := []*seenBy{apply(t, a), apply(t, b)}
	c := k.child(2, true)
	c.reach(100)
	c.signal(syscall.SIGKILL)
	acknowledged := max(c.rest(), 100)
	c.end(syscall.SIGKILL)
	began := time.Now()
	elect(t, a, b)
	took := lead(t, b)
	t.Log("paused for", time.Since(began))
	require.GreaterOrEqual(t, uint64(len(took)), acknowledged)
	require.LessOrEqual(t, uint64(len(took)), acknowledged+1)
	n := uint64(len(took))
	require.Equal(t, upTo(n), took)
	appendAll(t, b, n+1, n+20)

	k.start(2)
	followers = append(followers, apply(t, k.log(2)))
	appendAll(t, b, n+21, n+30)
	want, _ := followers[0].at(t, b.Last())
	for _, f := range followers {
		hash, got := f.at(t, b.Last())
		require.Equal(t, upTo(n+30), got)
		require.Equal(t, want, hash)
	}
}

// lead makes a node the primary, however often it has to read on, and returns the numbers before its claim.
func lead(t testing.TB, l *Log) (got []uint64) {
	t.Helper()
	collect, after := into(&got), uint64(0)
	for {
		end, err := l.CatchUp(t.Context(), after, collect, nil)
		require.NoError(t, err)
		after = end
		if _, err = l.Claim(t.Context(), after, record.Clock{}); err == nil {
			return got
		}
		require.ErrorIs(t, err, ErrFenced)
	}
}

// A primary that stood still goes on with the append that was under way: it is refused, and has no effect.
func TestKill_PrimaryThatStoodStillIsFenced(t *testing.T) {
	t.Parallel()
	k := newTrio(t, nil)
	logs := k.logs()
	a, b := logs[0], logs[1]
	followers := []*seenBy{apply(t, a), apply(t, b)}
	c := k.child(2, true)
	c.reach(50)
	c.signal(syscall.SIGSTOP)
	began := time.Now()
	elect(t, a, b)
	t.Log("elected after", time.Since(began))
	n := uint64(len(lead(t, a)))
	t.Log("claimed after", time.Since(began))
	appendAll(t, a, n+1, n+20)
	t.Log("paused for", time.Since(began))
	c.signal(syscall.SIGCONT)
	acknowledged := c.rest()
	c.end(syscall.SIGCONT)
	require.Contains(t, c.errs.String(), ErrFenced.Error())
	require.GreaterOrEqual(t, n, acknowledged)
	appendAll(t, a, n+21, n+30)
	want, _ := followers[0].at(t, a.Last())
	for _, f := range followers {
		hash, got := f.at(t, a.Last())
		require.Equal(t, upTo(n+30), got)
		require.Equal(t, want, hash)
	}
}
