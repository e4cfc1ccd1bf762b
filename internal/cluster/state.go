package cluster

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/gospaces/gospaces/txn"
)

// State is what all nodes agree on: the content of the control partition. It is never changed: each command of the log
// makes a new one.
type State struct {
	Position uint64            `json:"position"` // of the last command
	Nodes    map[string]Node   `json:"nodes,omitempty"`
	Spaces   map[string]*Space `json:"spaces,omitempty"`
}

// Node is a member of the cluster.
type Node struct {
	Addr    string `json:"addr"` // for clients
	Zone    string `json:"zone,omitempty"`
	Version string `json:"version,omitempty"`
	Drained bool   `json:"drained,omitempty"` // it is to lead nothing
}

// Space is a space of the cluster.
type Space struct {
	Incarnation string      `json:"incarnation"`
	Partitions  []Partition `json:"partitions"`
	Made        bool        `json:"made,omitempty"`    // the logs of its partitions are there
	Dropped     bool        `json:"dropped,omitempty"` // its logs are being removed
}

// Partition is a partition of a space.
type Partition struct {
	Nodes []string `json:"nodes"` // that have its replicas; the first is to lead it
}

// Command is a change of the State, as the log of the control partition has it. Exactly one field is set.
type Command struct {
	Join   *Joined     `json:"join,omitempty"`
	Forget *NamedNode  `json:"forget,omitempty"`
	Drain  *Drained    `json:"drain,omitempty"`
	Create *Created    `json:"create,omitempty"`
	Made   *NamedSpace `json:"made,omitempty"`
	Drop   *NamedSpace `json:"drop,omitempty"`
	Remove *NamedSpace `json:"remove,omitempty"` // of a dropped space whose logs are removed
	Prefer *Preferred  `json:"prefer,omitempty"`
	Reset  *State      `json:"reset,omitempty"` // the whole state: earlier commands are not needed any more
}

// Joined tells that a node is a member, with what it says of itself.
type Joined struct {
	Name string `json:"name"`
	Node
}

// NamedNode names a node.
type NamedNode struct {
	Name string `json:"name"`
}

// Drained says whether a node is to lead partitions.
type Drained struct {
	Name    string `json:"name"`
	Drained bool   `json:"drained"`
}

// Created describes a new space.
type Created struct {
	Name        string      `json:"name"`
	Incarnation string      `json:"incarnation"`
	Partitions  []Partition `json:"partitions"`
}

// NamedSpace names an incarnation of a space.
type NamedSpace struct {
	Name        string `json:"name"`
	Incarnation string `json:"incarnation"`
}

// Preferred puts another node first among those of a partition.
type Preferred struct {
	Name      string `json:"name"`
	Partition int    `json:"partition"`
	Node      string `json:"node"`
}

// Errors of commands, which change nothing.
var (
	// ErrNoNode is returned for a node that is no member.
	ErrNoNode = errors.New("cluster: no such node")
	// ErrNoSpace is returned for a space that does not exist, or not in that incarnation.
	ErrNoSpace = errors.New("cluster: no such space")
	// ErrExists is returned for a space that exists already.
	ErrExists = errors.New("cluster: the space exists")
	// ErrCommand is returned for a command that this version does not know.
	ErrCommand = errors.New("cluster: unknown command")
)

// next returns the state after a command at a position. If the command is refused, it returns why, and the state is
// changed by no more than its position.
func (s *State) next(position uint64, c *Command) (*State, error) {
	n := &State{Position: position, Nodes: maps.Clone(s.Nodes), Spaces: maps.Clone(s.Spaces)}
	if n.Nodes == nil {
		n.Nodes = map[string]Node{}
	}
	if n.Spaces == nil {
		n.Spaces = map[string]*Space{}
	}
	return n, n.apply(c)
}

// apply changes s, which is new, by a command.
func (s *State) apply(c *Command) error {
	switch {
	case c.Join != nil:
		node := c.Join.Node
		node.Drained = s.Nodes[c.Join.Name].Drained
		s.Nodes[c.Join.Name] = node
		return nil
	case c.Forget != nil:
		return s.forget(c.Forget.Name)
	case c.Drain != nil:
		return s.drain(c.Drain)
	case c.Create != nil:
		return s.create(c.Create)
	case c.Made != nil:
		return s.change(c.Made, func(sp *Space) error { sp.Made = true; return nil })
	case c.Drop != nil:
		return s.change(c.Drop, func(sp *Space) error { sp.Dropped = true; return nil })
	case c.Remove != nil:
		return s.remove(c.Remove)
	case c.Prefer != nil:
		return s.prefer(c.Prefer)
	case c.Reset != nil:
		s.Nodes, s.Spaces = maps.Clone(c.Reset.Nodes), maps.Clone(c.Reset.Spaces)
		return nil
	}
	return ErrCommand
}

func (s *State) forget(name string) error {
	if _, known := s.Nodes[name]; !known {
		return fmt.Errorf("%w: %q", ErrNoNode, name)
	}
	for space, sp := range s.Spaces {
		for i, p := range sp.Partitions {
			if slices.Contains(p.Nodes, name) {
				return fmt.Errorf("%w: %q has a replica of %v: move it first", ErrNoNode, name,
					txn.Address{Space: space, Partition: uint16(i)})
			}
		}
	}
	delete(s.Nodes, name)
	return nil
}

func (s *State) drain(d *Drained) error {
	node, known := s.Nodes[d.Name]
	if !known {
		return fmt.Errorf("%w: %q", ErrNoNode, d.Name)
	}
	node.Drained = d.Drained
	s.Nodes[d.Name] = node
	return nil
}

func (s *State) create(c *Created) error {
	if s.Spaces[c.Name] != nil {
		return fmt.Errorf("%w: %q", ErrExists, c.Name)
	}
	s.Spaces[c.Name] = &Space{Incarnation: c.Incarnation, Partitions: c.Partitions}
	return nil
}

// space returns a space, if it exists in that incarnation.
func (s *State) space(name NamedSpace) (*Space, error) {
	sp := s.Spaces[name.Name]
	if sp == nil || sp.Incarnation != name.Incarnation {
		return nil, fmt.Errorf("%w: %q", ErrNoSpace, name.Name)
	}
	return sp, nil
}

// change replaces a space by a changed one.
func (s *State) change(name *NamedSpace, by func(*Space) error) error {
	sp, err := s.space(*name)
	if err != nil {
		return err
	}
	changed := *sp
	s.Spaces[name.Name] = &changed
	return by(&changed)
}

func (s *State) remove(name *NamedSpace) error {
	if _, err := s.space(*name); err != nil {
		return err
	}
	delete(s.Spaces, name.Name)
	return nil
}

func (s *State) prefer(p *Preferred) error {
	sp := s.Spaces[p.Name]
	if sp == nil || p.Partition < 0 || p.Partition >= len(sp.Partitions) {
		return fmt.Errorf("%w: %q has no partition %d", ErrNoSpace, p.Name, p.Partition)
	}
	nodes := sp.Partitions[p.Partition].Nodes
	i := slices.Index(nodes, p.Node)
	if i < 0 {
		return fmt.Errorf("%w: %q has no replica of %v", ErrNoNode, p.Node,
			txn.Address{Space: p.Name, Partition: uint16(p.Partition)})
	}
	changed := *sp
	changed.Partitions = slices.Clone(sp.Partitions)
	changed.Partitions[p.Partition].Nodes = slices.Concat([]string{p.Node}, slices.Delete(slices.Clone(nodes), i, i+1))
	s.Spaces[p.Name] = &changed
	return nil
}

// Replicas calls fn for each partition that has a replica on a node, and is not being removed.
func (s *State) Replicas(node string, fn func(at txn.Address, sp *Space, p Partition)) {
	for name, sp := range s.Spaces {
		for i, p := range sp.Partitions {
			if !sp.Dropped && slices.Contains(p.Nodes, node) {
				fn(txn.Address{Space: name, Partition: uint16(i)}, sp, p)
			}
		}
	}
}
