package spacetest

import (
	"cmp"
	"context"
	crand "crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/node"
	"github.com/gospaces/gospaces/space"
)

// ClusterConfig configures StartCluster. The zero value is a cluster of three nodes in this process.
type ClusterConfig struct {
	Nodes      int    // 0: 3
	Replicas   int    // as node.Cluster has it
	Partitions int    // of the spaces that Space and Parted return; 0: 1
	Durability string // as node.Config has it
	Postgres   string // DSN of the database that mirrors the spaces; "": none

	// Patience is as node.Cluster has it. A test in which no node is to fail wants some, so that a busy machine does
	// not have the primary change, which would end transactions.
	Patience float64

	NATS *node.NATS // as node.Cluster has it; of nodes in this process

	SnapshotBytes int64  // as node.Config has it
	AuditEvery    uint64 // as node.Cluster has it; of nodes in this process
	MaxMemory     string // serve --max-memory of each process; "": its default
	LeastMemory   string // that of the last node, if it is another

	Process bool // run each node as a separate process, which can be killed
}

// ClusterHandle is a cluster on this machine. Its methods may be called concurrently, but only one of Kill, Start and
// Stop of a node at a time.
type ClusterHandle struct {
	tb    testing.TB
	cfg   ClusterConfig
	Nodes []*ClusterNode

	network string // the first part of all addresses
	twins   []*ClusterNode

	making sync.Once
	made   chan string // names of new spaces
	unused chan string // names of spaces to drop
}

// ClusterNode is a node of a ClusterHandle.
type ClusterNode struct {
	Name string
	Addr string // for clients
	peer node.Peer
	of   *ClusterHandle
	data string
	next bool // it is of NextVersion; guarded as Start is
	left bool // it has left for good; guarded as Start is

	mu      sync.Mutex
	running running            // guarded by mu; nil: it is down
	asked   *client.NodeClient // guarded by mu; for the status of a process; nil: not yet
	log     string             // guarded by mu; what the processes wrote that have ended
}

// StartCluster starts a cluster with an empty default space, and ends it with the test. Each cluster has addresses of
// its own, 127.X.Y.1 and so on, so that no two nodes of a machine ask for the same port.
func StartCluster(tb testing.TB, cfg ClusterConfig) *ClusterHandle {
	tb.Helper()
	if cfg.Nodes == 0 {
		cfg.Nodes = 3
	}
	c := &ClusterHandle{tb: tb, cfg: cfg}
	c.network = fmt.Sprintf("127.%d.%d", 1+rand.IntN(254), rand.IntN(256))
	for range cfg.Nodes {
		c.add()
	}
	var starting sync.WaitGroup
	errs := make([]error, len(c.Nodes))
	for i, n := range c.Nodes {
		starting.Go(func() { errs[i] = n.start() })
	}
	starting.Wait()
	tb.Cleanup(c.kill)
	require.NoError(tb, errors.Join(errs...))
	return c
}

// add adds a node, which is to be started.
func (c *ClusterHandle) add() *ClusterNode {
	name, ip := string(rune('a'+len(c.Nodes))), fmt.Sprintf("%s.%d", c.network, len(c.Nodes)+1)
	n := &ClusterNode{
		Name: name, Addr: ip + ":7420", peer: node.Peer{Name: name, Addr: ip + ":6222"}, of: c,
		data: filepath.Join(c.tb.TempDir(), name),
	}
	c.Nodes = append(c.Nodes, n)
	return n
}

// Twin returns a node with the name of n, an address of its own and an empty folder, which is to be started. No other
// method of the cluster may be called at a time.
func (n *ClusterNode) Twin() *ClusterNode {
	c := n.of
	ip := fmt.Sprintf("%s.%d", c.network, 101+len(c.twins))
	twin := &ClusterNode{
		Name: n.Name, Addr: ip + ":7420", peer: node.Peer{Name: n.Name, Addr: ip + ":6222"}, of: c,
		data: filepath.Join(c.tb.TempDir(), n.Name),
	}
	c.twins = append(c.twins, twin)
	return twin
}

// Join starts a further node, with itself at the end of its list of peers. No other method of c may be called at a
// time, but those of its nodes may.
func (c *ClusterHandle) Join() *ClusterNode {
	c.tb.Helper()
	n := c.add()
	n.Start()
	return n
}

// members returns the nodes that have not left.
func (c *ClusterHandle) members() []*ClusterNode {
	return slices.DeleteFunc(slices.Clone(c.Nodes), func(n *ClusterNode) bool { return n.left })
}

// kill ends all nodes at once.
func (c *ClusterHandle) kill() {
	var ending sync.WaitGroup
	for _, n := range append(c.twins, c.Nodes...) {
		ending.Go(n.Kill)
	}
	ending.Wait()
}

// Addrs returns the addresses of all nodes, as client.Config.Addr takes them.
func (c *ClusterHandle) Addrs() string {
	var addrs []string
	for _, n := range c.Nodes {
		addrs = append(addrs, n.Addr)
	}
	return strings.Join(addrs, ",")
}

// Dial returns a client of a space, which is closed with tb.
func (c *ClusterHandle) Dial(tb testing.TB, space string) *ClusterClient {
	tb.Helper()
	cl, err := client.DialConfig(tb.Context(), client.Config{
		Addr: c.Addrs(), Space: space, MinBackoff: time.Millisecond, MaxBackoff: 50 * time.Millisecond,
		DialTimeout: time.Minute, // a slow machine may lose the primary meanwhile
	})
	require.NoError(tb, err)
	tb.Cleanup(func() { cl.Close() })
	return &ClusterClient{cl, c, space}
}

// Dial returns a client of a space that knows the address of this node only. It dials until the space is served,
// however long that takes on a busy machine.
func (n *ClusterNode) Dial(tb testing.TB, space string) *client.Client {
	tb.Helper()
	for {
		c, err := client.DialConfig(tb.Context(), client.Config{Addr: n.Addr, Space: space})
		if err == nil {
			tb.Cleanup(func() { c.Close() })
			return c
		}
		require.NoError(tb, tb.Context().Err(), "%v", err)
		time.Sleep(10 * time.Millisecond) // between two attempts
	}
}

// Space returns a client of a new space. It drops the space with tb, beside what follows.
func (c *ClusterHandle) Space(tb testing.TB) *ClusterClient {
	tb.Helper()
	c.making.Do(c.makeSpaces)
	name := <-c.made
	cl := c.Dial(tb, name)
	tb.Cleanup(func() { c.unused <- name })
	return cl
}

// Parted returns what Space does, for spaces of several partitions.
func (c *ClusterHandle) Parted(tb testing.TB) *Parted {
	tb.Helper()
	cl := c.Space(tb)
	return &Parted{cl.SpaceNamed(cl.space), func(string) space.Space { return cl.Neighbor("") }}
}

// makeSpaces begins to make spaces ahead, and to drop those that are not used any more: either takes some time, most of
// it spent waiting.
func (c *ClusterHandle) makeSpaces() {
	const ahead = 24
	c.made, c.unused = make(chan string, ahead), make(chan string, 1<<10)
	ctx, cancel := context.WithCancel(context.Background())
	admin, err := client.Dial(ctx, c.Addrs())
	require.NoError(c.tb, err)
	var makers sync.WaitGroup
	for range ahead {
		makers.Go(func() {
			for ctx.Err() == nil {
				name := crand.Text()
				if err := admin.CreateSpace(ctx, name, client.Partitions(max(1, c.cfg.Partitions))); err != nil {
					continue
				}
				select {
				case c.made <- name:
				case <-ctx.Done():
				}
			}
		})
		makers.Go(func() {
			for {
				select {
				case name := <-c.unused:
					_ = admin.DropSpace(ctx, name, false)
				case <-ctx.Done():
					return
				}
			}
		})
	}
	c.tb.Cleanup(func() {
		cancel()
		makers.Wait()
		admin.Close()
	})
}

// ClusterClient is a client of a cluster, which can tell how many calls wait in its space.
type ClusterClient struct {
	*client.Client
	of    *ClusterHandle
	space string
}

// Neighbor implements Neighbor. Another node leads the space that it returns, whatever the name, or did just now.
func (c *ClusterClient) Neighbor(string) space.Space {
	return c.SpaceNamed(c.of.Apart(c.of.tb, c.space))
}

// Apart makes a space that another node leads than the given one, and returns its name. It drops the space with tb.
func (c *ClusterHandle) Apart(tb testing.TB, from string) string {
	tb.Helper()
	c.making.Do(c.makeSpaces)
	for {
		name := <-c.made
		tb.Cleanup(func() { c.unused <- name })
		if here, there := c.Primary(from), c.Primary(name); here != "" && there != "" && here != there {
			return name
		}
	}
}

// Primary returns the name of the node that leads a space, as the nodes see it; "" if they see none.
func (c *ClusterHandle) Primary(space string) string {
	for _, n := range c.Nodes {
		status, up, err := n.status(c.tb.Context())
		if err != nil || !up {
			continue
		}
		for _, p := range status.Cluster.Partitions {
			if p.Space == space && p.Primary != "" {
				return p.Primary
			}
		}
	}
	return ""
}

// nodeStatus is the part of a node's status that tests look at.
type nodeStatus struct {
	Cluster struct {
		Partitions []struct {
			Space   string
			Primary string
		}
	}
	Spaces []struct {
		Name     string
		Role     string
		Waiting  int
		Audits   uint64
		Differed uint64 `json:"audits_differed"`
	}
}

// status returns the status of a node; false if it is down.
func (n *ClusterNode) status(ctx context.Context) (status nodeStatus, up bool, err error) {
	n.mu.Lock()
	run := n.running
	n.mu.Unlock()
	if run == nil {
		return status, false, nil
	}
	text, err := n.report(ctx, run)
	if err == nil {
		err = json.Unmarshal(text, &status)
	}
	return status, true, err
}

func (n *ClusterNode) report(ctx context.Context, run running) ([]byte, error) {
	if here, ok := run.(nodeServer); ok {
		return here.node.Status(), nil
	}
	c, err := n.client(ctx)
	if err != nil {
		return nil, err
	}
	return c.Status(ctx)
}

// client returns a client of the node, which is closed with the test.
func (n *ClusterNode) client(ctx context.Context) (*client.NodeClient, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.asked == nil {
		c, err := client.DialNode(ctx, client.Config{Addr: n.Addr})
		if err != nil {
			return nil, err
		}
		n.asked = c
		n.of.tb.Cleanup(func() { c.Close() })
	}
	return n.asked, nil
}

// ReplicaStatus is what a node says of its replica of a space of one partition.
type ReplicaStatus struct {
	Role             string
	Audits, Differed uint64
}

// Replica returns what a node says of its replica of a space; the zero value if it has none, or is down.
func (c *ClusterHandle) Replica(node, space string) (r ReplicaStatus) {
	status, _, _ := c.Node(node).status(c.tb.Context())
	for _, s := range status.Spaces {
		if s.Name == space {
			r = ReplicaStatus{s.Role, s.Audits, s.Differed}
		}
	}
	return r
}

// Waiting implements Waiter.
func (c *ClusterClient) Waiting(ctx context.Context) (waiting int, err error) {
	for _, n := range c.of.Nodes {
		here, err := n.waiting(ctx, c.space)
		if err != nil {
			return 0, err
		}
		waiting += here
	}
	return waiting, nil
}

// waiting returns how many calls wait in the partitions of a space that the node has.
func (n *ClusterNode) waiting(ctx context.Context, space string) (waiting int, err error) {
	status, up, err := n.status(ctx)
	if err != nil || !up {
		return 0, err
	}
	for _, s := range status.Spaces {
		if s.Name == space {
			waiting += s.Waiting
		}
	}
	return waiting, nil
}

// Data returns the folder of the node.
func (n *ClusterNode) Data() string { return n.data }

// Node returns the node of a name.
func (c *ClusterHandle) Node(name string) *ClusterNode { return c.Nodes[name[0]-'a'] }

// Start starts the node again, on the same data, and returns when it serves.
func (n *ClusterNode) Start() {
	n.of.tb.Helper()
	require.NoError(n.of.tb, n.start())
}

// TryStart is Start, but for that it returns why the node does not serve.
func (n *ClusterNode) TryStart() error { return n.start() }

func (n *ClusterNode) start() error {
	run := n.startHere
	if n.of.cfg.Process {
		run = n.startProcess
	}
	running, err := run()
	if err != nil {
		return fmt.Errorf("node %s: %w", n.Name, err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.running = running
	return nil
}

// others returns the nodes that have not left, with n in the place of its twin.
func (n *ClusterNode) others() []*ClusterNode {
	nodes := n.of.members()
	for i, other := range nodes {
		if other.Name == n.Name {
			nodes[i] = n
		}
	}
	return nodes
}

func (n *ClusterNode) startHere() (running, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var peers []node.Peer
	for _, other := range n.others() {
		peers = append(peers, other.peer)
	}
	cfg := n.of.cfg
	logger := slog.New(slog.DiscardHandler)
	if os.Getenv("GOSPACES_TEST_LOG") != "" {
		logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})).With("node", n.Name)
	}
	started, err := node.Start(ctx, node.Config{
		Listen: n.Addr, Data: n.data, Durability: cfg.Durability, Postgres: cfg.Postgres, SnapshotBytes: cfg.SnapshotBytes,
		Cluster: &node.Cluster{
			Name: "test", Node: n.Name, Peers: peers, Replicas: cfg.Replicas, NATS: cfg.NATS,
			AuditEvery: cfg.AuditEvery, Patience: cfg.Patience,
		},
		Logger: logger,
	})
	if err != nil {
		return nil, err
	}
	return nodeServer{started}, nil
}

func (n *ClusterNode) startProcess() (running, error) {
	var peers []string
	for _, other := range n.others() {
		peers = append(peers, other.peer.Name+"="+other.peer.Addr)
	}
	args := []string{
		"--listen", n.Addr, "--admin", strings.TrimSuffix(n.Addr, "0") + "1", "--data", n.data, "--cluster", "test", "--node",
		n.Name, "--peers", strings.Join(peers, ","), "--flush-timeout", patience.String(),
	}
	cfg := n.of.cfg
	for flag, value := range map[string]string{
		"--durability": cfg.Durability, "--postgres": cfg.Postgres, "--replicas": positive(cfg.Replicas),
		"--snapshot-bytes": positive(int(cfg.SnapshotBytes)), "--max-memory": n.maxMemory(),
		"--patience": positive(cfg.Patience),
	} {
		if value != "" {
			args = append(args, flag, value)
		}
	}
	dir, err := program.get(build)
	if n.next {
		dir, err = nextProgram.get(buildNext)
	}
	if err != nil {
		return nil, err
	}
	p, _, err := startServe(dir, args)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// maxMemory returns the node's serve --max-memory.
func (n *ClusterNode) maxMemory() string {
	if cfg := n.of.cfg; n == n.of.Nodes[len(n.of.Nodes)-1] {
		return cmp.Or(cfg.LeastMemory, cfg.MaxMemory)
	}
	return n.of.cfg.MaxMemory
}

// positive returns a number as a flag has it; "" for 0.
func positive[N int | float64](n N) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

// Upgrade makes the node, when it is next started as a process, run the program of NextVersion.
func (n *ClusterNode) Upgrade() { n.next = true }

// Stop ends the node in good order: others lead what it led.
func (n *ClusterNode) Stop() {
	n.of.tb.Helper()
	if run := n.down(); run != nil {
		require.NoError(n.of.tb, run.stop())
		n.keepLog(run)
	}
}

// Leave stops the node for good: nodes that are started later do not know of it.
func (n *ClusterNode) Leave() {
	n.of.tb.Helper()
	n.Stop()
	n.left = true
}

// Kill ends the node at once; a separate process by SIGKILL.
func (n *ClusterNode) Kill() {
	if run := n.down(); run != nil {
		run.kill()
		n.keepLog(run)
	}
}

// End waits until the process of the node has ended by itself, and returns its exit code.
func (n *ClusterNode) End() int {
	p := n.down().(*processServer)
	<-p.done
	n.keepLog(p)
	return p.cmd.ProcessState.ExitCode()
}

func (n *ClusterNode) keepLog(ended running) {
	if p, ok := ended.(*processServer); ok {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.log += p.stderr.String()
	}
}

// Log returns what the processes of the node have logged that have ended.
func (n *ClusterNode) Log() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.log
}

// Signal sends a signal to the process of the node, such as SIGSTOP.
func (n *ClusterNode) Signal(s syscall.Signal) {
	n.of.tb.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	require.NoError(n.of.tb, n.running.(*processServer).cmd.Process.Signal(s))
}

func (n *ClusterNode) down() running {
	n.mu.Lock()
	defer n.mu.Unlock()
	run := n.running
	n.running = nil
	return run
}
