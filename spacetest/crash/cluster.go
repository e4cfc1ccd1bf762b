//go:build linux

package crash

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/spacetest/history"
)

// cluster is the nodes of a campaign. Only one goroutine at a time may call its methods.
type cluster struct {
	nodes   []*server
	disks   []*disk  // of their folders; empty: they cannot be filled
	network *network // nil: the nodes share the network of this process

	placing sync.Mutex // held while an operator has partitions move, or a disk is lost: not both at once
	outs    []history.Op
}

// Ports of a node: for clients, other nodes, and operators.
const (
	clientPort = ":7420"
	peerPort   = ":6222"
	adminPort  = ":7421"
)

// openCluster starts the nodes.
func (c *campaign) openCluster(ctx context.Context) (err error) {
	cl := &cluster{}
	c.cluster = cl
	subnet := fmt.Sprintf("127.%d.%d.", 1+rand.IntN(254), rand.IntN(256))
	if cl.network, err = newNetwork(c.cfg.Nodes); err == nil {
		subnet = cl.network.subnet
	} else {
		fmt.Fprintln(c.cfg.Out, "crash: no network is cut: "+err.Error())
	}
	key := c.path("cluster.key")
	if err := os.WriteFile(key, []byte("the nodes of a crash campaign\n"), 0o600); err != nil {
		return err
	}
	var peers []string
	for i := range c.cfg.Nodes {
		peers = append(peers, fmt.Sprintf("%s=%s%d%s", nodeName(i), subnet, i+1, peerPort))
	}
	for i := range c.cfg.Nodes {
		n, err := c.newNode(i, fmt.Sprint(subnet, i+1))
		if err != nil {
			return err
		}
		n.args = append(n.args, "--cluster", "crash", "--node", nodeName(i), "--peers", strings.Join(peers, ","),
			"--cluster-key-file", key)
		cl.nodes = append(cl.nodes, n)
	}
	if err := cl.start(ctx, cl.nodes...); err != nil {
		return err
	}
	return c.makeSpace(ctx)
}

// makeSpace makes the second space. The first is there from the start.
func (c *campaign) makeSpace(ctx context.Context) error {
	cl, err := dial(ctx, c.cluster.addrs(), nil)
	if err != nil {
		return err
	}
	defer cl.Close()
	return cl.CreateSpace(ctx, spaceNames[1], client.Partitions(max(1, c.cfg.Parts)))
}

// partitions returns the number of partitions of all spaces.
func (c *campaign) partitions() int { return 1 + max(1, c.cfg.Parts) }

func nodeName(i int) string { return string(rune('a' + i)) }

// newNode returns a node that is not started yet.
func (c *campaign) newNode(i int, ip string) (*server, error) {
	folder, full := c.path("node-"+nodeName(i)), func() bool { return false }
	d, err := newDisk(folder, dataSize)
	switch {
	case errors.Is(err, errNoMount):
		if i == 0 {
			fmt.Fprintln(c.cfg.Out, "crash: no disk is filled up: "+err.Error())
		}
	case err != nil:
		return nil, err
	default:
		c.cluster.disks = append(c.cluster.disks, d)
		full = d.filled.Load
	}
	log, err := os.Create(c.path("node-" + nodeName(i) + ".log"))
	if err != nil {
		return nil, err
	}
	n := &server{
		program: c.cfg.Program, data: filepath.Join(folder, "gospaces"), log: log, full: full, host: ip,
		listen: ip + clientPort,
		args: []string{
			"--snapshot-bytes", "524288", "--snapshot-every", "20s", "--audit-every", "200", "--admin", ip + adminPort,
		},
	}
	if c.db != nil {
		n.args = append(n.args, "--postgres", c.db.dsn, "--mirror", "job=append")
	}
	if c.cluster.network != nil {
		n.within = c.cluster.network.within(i)
	}
	return n, nil
}

// addrs returns the addresses of all nodes, as a client takes them.
func (cl *cluster) addrs() string {
	var all []string
	for _, n := range cl.nodes {
		all = append(all, n.listen)
	}
	return strings.Join(all, ",")
}

// start starts some nodes at once, and returns when they are ready.
func (cl *cluster) start(ctx context.Context, nodes ...*server) error {
	return atOnce(nodes, func(n *server) error { return n.start(ctx) })
}

// atOnce calls fn for all nodes at once.
func atOnce(nodes []*server, fn func(*server) error) error {
	var all sync.WaitGroup
	errs := make([]error, len(nodes))
	for i, n := range nodes {
		all.Go(func() { errs[i] = fn(n) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// killAll kills all nodes at once. No call that has not taken effect by then ever will.
func (cl *cluster) killAll(ctx context.Context) error {
	crash := history.Op{Verb: history.Crash, Outcome: history.OK, Call: now()}
	err := atOnce(cl.nodes, (*server).kill)
	if err == nil {
		err = cl.start(ctx, cl.nodes...)
	}
	crash.Return = now()
	cl.outs = append(cl.outs, crash)
	return err
}

// outages returns the times at which all nodes were down at once, since the last call. While one of them is up, a call
// may still be on its way to it.
func (cl *cluster) outages() []history.Op {
	outs := cl.outs
	cl.outs = nil
	return outs
}

// close kills the nodes, and keeps their folders if keep is set.
func (cl *cluster) close(keep bool) error {
	var errs []error
	for _, n := range cl.nodes {
		if n.run != nil {
			_ = n.run.kill()
		}
		errs = append(errs, n.log.Close())
	}
	for _, d := range cl.disks {
		if keep {
			errs = append(errs, d.empty(), os.CopyFS(d.dir+"-kept", os.DirFS(d.dir)))
		}
		errs = append(errs, d.unmount())
	}
	if cl.network != nil {
		errs = append(errs, cl.network.close())
	}
	return errors.Join(errs...)
}

// audited is the state of a replica at a position of its log.
type audited struct {
	Position uint64
	Hash     string
	node     string
}

// replicasOfEach is the number of replicas of a partition.
const replicasOfEach = 3

// audit returns the state of the replicas on a node that have no change on the way to their logs.
func audit(ctx context.Context, n *server) (all map[string]audited, err error) {
	err = n.ask(ctx, "/debug/audit", &all)
	return all, err
}

// ask asks the address of a node for operators.
func (s *server) ask(ctx context.Context, path string, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.host+adminPort+path, nil)
	if err != nil {
		return err
	}
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", req.URL, r.Status)
	}
	return json.NewDecoder(r.Body).Decode(answer)
}
