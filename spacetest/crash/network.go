//go:build linux

package crash

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// network gives each node a host: a network namespace, linked to a bridge on which this process has an address, too.
// Its methods may be called concurrently, but only one at a time that concerns a link.
type network struct {
	prefix string // of the names of bridge, links and namespaces
	subnet string // as in "10.213.7."
	nodes  int
}

// newNetwork makes a network. Only root can.
func newNetwork(nodes int) (*network, error) {
	n := &network{
		prefix: fmt.Sprintf("gsc%d", os.Getpid()%100000), subnet: fmt.Sprintf("10.213.%d.", os.Getpid()%250), nodes: nodes,
	}
	err := n.run(
		"link add "+n.bridge()+" type bridge",
		"addr add "+n.subnet+"254/24 dev "+n.bridge(),
		"link set "+n.bridge()+" up",
	)
	for i := range nodes {
		if err == nil {
			err = n.addHost(i)
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("only root can make networks: %w", err), n.close())
	}
	return n, nil
}

func (n *network) bridge() string        { return n.prefix + "br" }
func (n *network) link(i int) string     { return n.prefix + nodeName(i) }
func (n *network) host(i int) string     { return n.prefix + nodeName(i) }
func (n *network) addr(i int) string     { return fmt.Sprint(n.subnet, i+1) }
func (n *network) within(i int) []string { return []string{"ip", "netns", "exec", n.host(i)} }

func (n *network) addHost(i int) error {
	return n.run(
		"netns add "+n.host(i),
		"link add "+n.link(i)+" type veth peer name eth0 netns "+n.host(i),
		"link set "+n.link(i)+" master "+n.bridge()+" up",
		"-n "+n.host(i)+" addr add "+n.addr(i)+"/24 dev eth0",
		"-n "+n.host(i)+" link set eth0 up",
		"-n "+n.host(i)+" link set lo up",
	)
}

// run runs commands of ip until one fails.
func (n *network) run(commands ...string) error {
	for _, c := range commands {
		if out, err := exec.Command("ip", strings.Fields(c)...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w: %s", c, err, out)
		}
	}
	return nil
}

// cut takes a host off the bridge.
func (n *network) cut(i int) error { return n.run("link set " + n.link(i) + " nomaster") }

// heal puts it back.
func (n *network) heal(i int) error { return n.run("link set " + n.link(i) + " master " + n.bridge()) }

// nowhere is the address of a network card that does not exist.
const nowhere = "02:00:00:00:de:ad"

// mute loses what one host sends to another.
func (n *network) mute(from, to int) error {
	return n.run("-n " + n.host(from) + " neigh replace " + n.addr(to) + " lladdr " + nowhere + " dev eth0 nud permanent")
}

// unmute ends that.
func (n *network) unmute(from, to int) error {
	return n.run("-n " + n.host(from) + " neigh del " + n.addr(to) + " dev eth0")
}

// slow limits what reaches a host to a few megabits per second.
func (n *network) slow(i int) error {
	out, err := exec.Command("tc", "qdisc", "add", "dev", n.link(i), "root", "tbf", "rate", "4mbit", "burst", "16kbit",
		"latency", "300ms").CombinedOutput()
	if err != nil {
		return fmt.Errorf("tc: %w: %s", err, out)
	}
	return nil
}

// hasten ends that.
func (n *network) hasten(i int) error {
	return exec.Command("tc", "qdisc", "del", "dev", n.link(i), "root").Run()
}

// close removes what there is of the network.
func (n *network) close() error {
	for i := range n.nodes {
		_ = n.run("link del " + n.link(i))
		_ = n.run("netns del " + n.host(i))
	}
	_ = n.run("link del " + n.bridge())
	return nil
}
