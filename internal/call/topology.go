package call

import "github.com/gospaces/gospaces/txn"

// Topology is what a node tells clients of its cluster: the nodes, and where the partitions are.
type Topology struct {
	Version uint64   // higher after each change of Nodes; 0: the server is alone
	Nodes   []Member // all, by name
	Places  []Placed // all partitions, in their order
}

// Member is a node, by its name and its address for clients. Without an address it is the one that tells, at the
// address by which the client has reached it.
type Member struct{ Name, Addr string }

// Placed tells which node serves a partition, and in which epoch; "" if none does for now.
type Placed struct {
	At    txn.Address
	Node  string
	Epoch Epoch
}
