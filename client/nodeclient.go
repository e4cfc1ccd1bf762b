package client

import (
	"context"

	"github.com/gospaces/gospaces/internal/wire"
)

// NodeClient is a connection to one server, for operators: that node of a cluster answers the calls itself, whatever it
// serves, also while no node serves anything. Its methods may be called concurrently; they block until the server has
// answered, or ctx ends, and return space.ErrUnavailable if there is no connection for Config.Grace.
type NodeClient struct {
	client *Client
	link   *link
}

// DialNode connects to the first server of cfg.Addr that answers. It blocks, and returns errors, as DialConfig does,
// but does not open a space. The caller must close the NodeClient.
func DialNode(ctx context.Context, cfg Config) (*NodeClient, error) {
	c, n, err := connect(ctx, cfg)
	if err != nil {
		return nil, err
	}
	n.asked.Add(1) // its link is made again, wherever partitions go
	return &NodeClient{c, n.links[0]}, nil
}

// Close closes the connection. It is idempotent.
func (n *NodeClient) Close() error { return n.client.Close() }

// Status returns the server's status: the JSON object that gospaces status --json prints.
func (n *NodeClient) Status(ctx context.Context) ([]byte, error) { return n.ask(ctx, wire.Status, "") }

// Manage changes a cluster, as the commands below gospaces cluster do: request and answer are their JSON objects, which
// may change with any release. It blocks until the change is decided. It returns space.ErrInvalidArgument for a request
// that cannot be carried out, and from a server that is not in a cluster.
func (n *NodeClient) Manage(ctx context.Context, request []byte) (answer []byte, err error) {
	return n.ask(ctx, wire.Manage, string(request))
}

// Spaces returns what Client.Spaces does.
func (n *NodeClient) Spaces(ctx context.Context) ([]string, error) {
	return n.call(wire.Spaces).names(ctx)
}

// CreateSpace does what Client.CreateSpace does.
func (n *NodeClient) CreateSpace(ctx context.Context, name string, opts ...SpaceOption) error {
	return n.call(wire.CreateSpace).create(ctx, name, opts)
}

// DropSpace does what Client.DropSpace does.
func (n *NodeClient) DropSpace(ctx context.Context, name string, tables bool) error {
	return n.call(wire.DropSpace).drop(ctx, name, tables)
}

// call returns a call that the server answers itself.
func (n *NodeClient) call(op wire.Type) *pendingCall {
	c := newCall(n.client.Space.only, op)
	c.link, c.limited = n.link, true
	return c
}

func (n *NodeClient) ask(ctx context.Context, op wire.Type, name string) ([]byte, error) {
	c := n.call(op)
	defer c.free()
	c.name = name
	if err := n.client.do(ctx, c); err != nil {
		return nil, err
	}
	r, err := c.result()
	if err != nil {
		return nil, err
	}
	return append([]byte(nil), r.Report.Body...), nil
}

// Topology is what a server tells clients of its cluster.
type Topology struct {
	Nodes  []TopologyNode  `json:"nodes"`
	Places []TopologyPlace `json:"places"`
}

// TopologyNode is a node of a cluster, with its address for clients.
type TopologyNode struct {
	Name string `json:"name"`
	Addr string `json:"addr"`
}

// TopologyPlace is a partition of a cluster, and the node that serves it; Node is "" if there is none. Of two places
// of one space the one with the higher epoch is newer. Created tells a space from an older one of its name, whose
// epochs may be higher: it is the position of the command that created the space.
type TopologyPlace struct {
	Space     string `json:"space"`
	Partition int    `json:"partition"`
	Node      string `json:"node,omitempty"`
	Created   uint64 `json:"created,omitempty"`
	Epoch     uint64 `json:"epoch,omitempty"`
}

// Topology returns what the server tells clients of its cluster; without nodes, if it is not a node of one.
func (n *NodeClient) Topology(ctx context.Context) (*Topology, error) {
	told, err := n.link.askTopology(ctx)
	if err != nil {
		return nil, err
	}
	t := &Topology{Nodes: []TopologyNode{}, Places: []TopologyPlace{}}
	for _, m := range told.Nodes {
		if m.Name != "" { // the server is not alone
			t.Nodes = append(t.Nodes, TopologyNode{m.Name, m.Addr})
		}
	}
	for _, p := range told.Places {
		t.Places = append(t.Places,
			TopologyPlace{p.At.Space, int(p.At.Partition), p.Node, p.Epoch.Created, p.Epoch.Claim})
	}
	return t, nil
}
