package cluster

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/gospaces/gospaces/txn"
)

// State is the content of the control partition, on which all nodes agree. It is immutable: each command of the log
// makes a new one.
type State struct {
	Position uint64            `json:"position"`           // of the last command
	Founders []string          `json:"founders,omitempty"` // the nodes that have replicas of the control partition
	Nodes    map[string]Node   `json:"nodes,omitempty"`
	NodesAt  uint64            `json:"nodes_at,omitempty"` // position of the last change of nodes or their addresses
	Spaces   map[string]*Space `json:"spaces,omitempty"`

	// Highest is a number that is not below those of entries, transactions and so on that dropped spaces have given
	// out.
	Highest uint64 `json:"highest,omitempty"`

	// Replaced has, by node, the last folders that were replaced by another one, the newest last.
	Replaced map[string][]string `json:"replaced,omitempty"`
}

// Node is a member of the cluster.
type Node struct {
	Addr    string `json:"addr"` // for clients
	Folder  string `json:"folder,omitempty"`
	Zone    string `json:"zone,omitempty"`
	Version string `json:"version,omitempty"`
	Duty    Duty   `json:"duty,omitempty"`
}

// Duty is what a node does for the cluster.
type Duty string

const (
	Leads   Duty = ""        // it leads partitions, and has replicas
	Follows Duty = "follows" // it has replicas, and leads nothing
	Leaves  Duty = "leaves"  // it leads nothing, and its replicas move to other nodes
)

// Space is a space of the cluster.
type Space struct {
	Incarnation string      `json:"incarnation"`
	Created     uint64      `json:"created,omitempty"` // the position of the command that created it
	Partitions  []Partition `json:"partitions"`
	Phase       Phase       `json:"phase,omitempty"`
	From        string      `json:"from,omitempty"` // what it is filled with, until all spaces of that are served
	Next        *Space      `json:"next,omitempty"` // the space that takes the name when this one is removed
}

// Unfinished reports whether the space is not served before it, and others, are filled.
func (s *Space) Unfinished() bool { return s.From != "" && s.Phase != Existing && s.Phase != Removing }

// Phase is a stage in the life of a space.
type Phase string

const (
	Making   Phase = ""         // the logs of its partitions are being made
	Filling  Phase = "filling"  // its logs exist, and are filled with what it begins with: it is not served yet
	Filled   Phase = "filled"   // they have all of that: it is served when others are filled, too
	Existing Phase = "existing" // its logs exist
	Removing Phase = "removing" // it was dropped: its logs are being removed
)

// Partition is a partition of a space.
type Partition struct {
	Nodes  []string `json:"nodes"`            // that have its replicas; the first is to lead it
	Target []string `json:"target,omitempty"` // that are to have them; nil: those that have
}

// Has reports whether a node has a replica, or is to have one.
func (p Partition) Has(node string) bool {
	return slices.Contains(p.Nodes, node) || slices.Contains(p.Target, node)
}

// Replicas returns how many replicas the partition is to have.
func (p Partition) Replicas() int {
	if p.Target != nil {
		return len(p.Target)
	}
	return len(p.Nodes)
}

// Ranked returns the nodes that may lead the partition, the best placed one first.
func (p Partition) Ranked() []string {
	ranked := slices.Clone(p.Target)
	for _, node := range p.Nodes {
		if !slices.Contains(ranked, node) {
			ranked = append(ranked, node)
		}
	}
	return ranked
}

// Command is a change of the State, as the log of the control partition has it. Exactly one field is set.
type Command struct {
	Found  *Founded    `json:"found,omitempty"`
	Join   *Joined     `json:"join,omitempty"`
	Forget *NamedNode  `json:"forget,omitempty"`
	Drain  *Drained    `json:"drain,omitempty"`
	Create *Created    `json:"create,omitempty"`
	Fill   *ToFill     `json:"fill,omitempty"` // a space that is to be filled, also in the place of another
	Made   *NamedSpace `json:"made,omitempty"`
	Filled *NamedSpace `json:"filled,omitempty"`
	Open   *Source     `json:"open,omitempty"`   // filled spaces are served
	Finish *Source     `json:"finish,omitempty"` // spaces that are served are like others now
	Drop   *ToDrop     `json:"drop,omitempty"`
	Remove *NamedSpace `json:"remove,omitempty"` // of a dropped space whose logs are removed
	Move   *Move       `json:"move,omitempty"`
	Settle *Settled    `json:"settle,omitempty"` // a move has ended
}

// Founded names the nodes that have replicas of the control partition.
type Founded struct {
	Nodes []string `json:"nodes"`
	Were  []string `json:"were,omitempty"` // the nodes that these replace; nil: the cluster is new
}

// Joined makes a node a member, or changes what it says of itself.
type Joined struct {
	Name string `json:"name"`
	Node
}

// NamedNode names a node.
type NamedNode struct {
	Name string `json:"name"`
}

// Drained sets the duty of a node.
type Drained struct {
	Name   string   `json:"name"`
	Duty   Duty     `json:"duty"`
	Silent []string `json:"silent,omitempty"` // the nodes to which nothing can be moved at present
}

// Created describes a new space.
type Created struct {
	Name        string      `json:"name"`
	Incarnation string      `json:"incarnation"`
	Partitions  []Partition `json:"partitions"`
}

// ToFill describes a new space that is to be filled.
type ToFill struct {
	Created
	From string `json:"from"` // identifies what it is filled with
}

// Source names what spaces are filled with.
type Source struct {
	From   string   `json:"from"`
	Spaces []string `json:"spaces,omitempty"`
}

// ToDrop names a space that is to be dropped.
type ToDrop struct {
	NamedSpace
	Highest uint64 `json:"highest"` // as State.Highest has it
}

// NamedSpace names an incarnation of a space.
type NamedSpace struct {
	Name        string `json:"name"`
	Incarnation string `json:"incarnation"`
}

// Move names the nodes that are to have the replicas of a partition, the first of which is to lead it. It has ended
// when that is so.
type Move struct {
	Name      string   `json:"name"`
	Partition int      `json:"partition"`
	To        []string `json:"to"`
	// Balances: drained nodes may keep the replicas that they have, since the move leaves these to further ones.
	Balances bool `json:"balances,omitempty"`
}

// Settled records that the move of a partition has ended.
type Settled struct {
	Name      string   `json:"name"`
	Partition int      `json:"partition"`
	On        []string `json:"on"`
}

// Errors of commands, which change nothing.
var (
	// ErrNoNode is returned for a node that is no member.
	ErrNoNode = errors.New("cluster: no such node")
	// ErrNeeded is returned for a node that cannot be forgotten, since it is alive or has replicas.
	ErrNeeded = errors.New("cluster: the node cannot be forgotten")
	// ErrNoSpace is returned for a space that does not exist, or not in that incarnation.
	ErrNoSpace = errors.New("cluster: no such space")
	// ErrExists is returned for a space that exists already.
	ErrExists = errors.New("cluster: the space exists")
	// ErrMove is returned for a move that is not possible.
	ErrMove = errors.New("cluster: the partition cannot be moved so")
	// ErrCommand is returned for a command that this version does not know.
	ErrCommand = errors.New("cluster: unknown command")
	// ErrReplaced is returned for a folder in whose place its node has another one.
	ErrReplaced = errors.New("cluster: the folder was replaced")
)

// next returns the state after a command at a position. If the command is refused, it returns the reason, and a state
// of which only the position has changed.
func (s *State) next(position uint64, c *Command) (*State, error) {
	n := &State{
		Position: position, Founders: s.Founders, Nodes: maps.Clone(s.Nodes), NodesAt: s.NodesAt,
		Spaces: maps.Clone(s.Spaces), Highest: s.Highest, Replaced: s.Replaced,
	}
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
	case c.Found != nil:
		if slices.Equal(s.Founders, c.Found.Were) {
			s.Founders = c.Found.Nodes
		}
		return nil
	case c.Join != nil:
		return s.join(c.Join)
	case c.Forget != nil:
		return s.forget(c.Forget.Name)
	case c.Drain != nil:
		return s.drain(c.Drain)
	case c.Create != nil:
		return s.create(c.Create)
	case c.Fill != nil:
		return s.fill(c.Fill)
	case c.Made != nil:
		return s.change(c.Made, (*Space).made)
	case c.Filled != nil:
		return s.change(c.Filled, (*Space).filled)
	case c.Open != nil:
		return s.open(c.Open)
	case c.Finish != nil:
		s.finish(c.Finish.From)
		return nil
	case c.Drop != nil:
		return s.drop(c.Drop)
	case c.Remove != nil:
		return s.remove(c.Remove)
	case c.Move != nil:
		return s.move(c.Move)
	case c.Settle != nil:
		return s.settle(c.Settle)
	}
	return ErrCommand
}

func (s *State) join(j *Joined) error {
	if s.IsReplaced(j.Name, j.Folder) {
		return &folderError{ErrReplaced, replacedText(j.Name)}
	}
	node, was := j.Node, s.Nodes[j.Name]
	node.Duty = was.Duty
	if node.Addr != was.Addr {
		s.NodesAt = s.Position
	}
	if was.Folder != "" && was.Folder != node.Folder {
		s.replace(j.Name, was.Folder)
	}
	s.Nodes[j.Name] = node
	return nil
}

// keptReplaced is how many replaced folders of a node a State has.
const keptReplaced = 16

// replace records that a folder of a node was replaced.
func (s *State) replace(node, folder string) {
	folders := append(slices.Clone(s.Replaced[node]), folder)
	s.Replaced = maps.Clone(s.Replaced)
	if s.Replaced == nil {
		s.Replaced = map[string][]string{}
	}
	s.Replaced[node] = folders[max(0, len(folders)-keptReplaced):]
}

// IsReplaced reports whether a folder of a node was replaced by another one.
func (s *State) IsReplaced(node, folder string) bool {
	return slices.Contains(s.Replaced[node], folder)
}

func (s *State) forget(name string) error {
	if _, known := s.Nodes[name]; !known {
		return fmt.Errorf("%w: %q", ErrNoNode, name)
	}
	for space, sp := range s.Spaces {
		for i, p := range sp.Partitions {
			if p.Has(name) {
				return fmt.Errorf("%w: %q has a replica of %v: drain it first", ErrNeeded, name,
					txn.Address{Space: space, Partition: uint16(i)})
			}
		}
	}
	delete(s.Nodes, name)
	s.NodesAt = s.Position
	return nil
}

// foundersWithout returns the nodes that are to have replicas of the control partition if one of them is to have none.
func (s *State) foundersWithout(node string, alive func(string) bool) ([]string, error) {
	for _, name := range slices.Sorted(maps.Keys(s.Nodes)) {
		if name != node && s.Nodes[name].Duty != Leaves && alive(name) && !slices.Contains(s.Founders, name) {
			return replaced(s.Founders, node, name), nil
		}
	}
	return nil, fmt.Errorf("%w: %q has a replica of the control partition, and no other node could have it: "+
		"add a node first, or start %q again with an empty folder", ErrNeeded, node, node)
}

func (s *State) drain(d *Drained) error {
	node, known := s.Nodes[d.Name]
	if !known {
		return fmt.Errorf("%w: %q", ErrNoNode, d.Name)
	}
	node.Duty = d.Duty
	s.Nodes[d.Name] = node
	if d.Duty != Leads {
		s.divert(d)
	}
	return nil
}

// divert changes the targets of moves under way that include a node which is drained: another node takes its place, or
// at least leads in its place, if there is one. Such a move would not end if the node is lost.
func (s *State) divert(d *Drained) {
	for _, name := range slices.Sorted(maps.Keys(s.Spaces)) {
		for i, p := range s.Spaces[name].Partitions {
			if !slices.Contains(p.Target, d.Name) {
				continue
			}
			_ = s.partition(name, i, func(p *Partition) error {
				goes := d.Duty == Leaves || !slices.Contains(p.Nodes, d.Name)
				if to := s.substitute(*p, d.Silent); to != "" && goes {
					p.Target = replaced(p.Target, d.Name, to)
				}
				leads := func(node string) bool { return s.Nodes[node].Duty == Leads }
				if i := slices.IndexFunc(p.Target, leads); i >= 0 {
					p.Target = first(p.Target, p.Target[i])
				}
				return nil
			})
		}
	}
}

// substitute returns a further node to which a partition could move: one that has a replica, or else the one that has
// the fewest of others; "" if there is none.
func (s *State) substitute(p Partition, silent []string) (best string) {
	load := s.load()
	for _, node := range slices.Sorted(maps.Keys(load)) {
		has := slices.Contains(p.Nodes, node)
		switch {
		case s.Nodes[node].Duty != Leads || slices.Contains(p.Target, node) || slices.Contains(silent, node):
		case best == "", has && !slices.Contains(p.Nodes, best),
			has == slices.Contains(p.Nodes, best) && load[node] < load[best]:
			best = node
		}
	}
	return best
}

func (s *State) create(c *Created) error {
	if s.Spaces[c.Name] != nil {
		return fmt.Errorf("%w: %q", ErrExists, c.Name)
	}
	s.Spaces[c.Name] = &Space{Incarnation: c.Incarnation, Created: s.Position, Partitions: c.Partitions}
	return nil
}

// fill creates a space that is to be filled. One of the same name is removed first, unless it is filled already, or
// with something else.
func (s *State) fill(c *ToFill) error {
	next := &Space{Incarnation: c.Incarnation, Created: s.Position, Partitions: c.Partitions, From: c.From}
	was := s.Spaces[c.Name]
	if was == nil {
		s.Spaces[c.Name] = next
		return nil
	}
	now := was
	if was.Phase == Removing {
		now = was.Next
	}
	switch {
	case now == nil, now.From == "":
	case now.Incarnation == c.Incarnation:
		return nil
	case now.From != c.From:
		return fmt.Errorf("%w: %q is being filled with something else", ErrExists, c.Name)
	case now.Phase == Filled || now.Phase == Existing:
		return fmt.Errorf("%w: %q is filled already", ErrExists, c.Name)
	}
	old := *was
	old.Phase, old.Next = Removing, next
	s.Spaces[c.Name] = &old
	return nil
}

// made changes the phase of a space whose logs exist.
func (s *Space) made() error {
	switch {
	case s.Phase != Making:
	case s.From != "":
		s.Phase = Filling
	default:
		s.Phase = Existing
	}
	return nil
}

// filled changes the phase of a space that was filled.
func (s *Space) filled() error {
	if s.Phase != Filling && s.Phase != Filled {
		return fmt.Errorf("%w: it is not being filled", ErrNoSpace)
	}
	s.Phase = Filled
	return nil
}

// open has spaces served that are filled from a source: all of them at once.
func (s *State) open(o *Source) error {
	for _, name := range o.Spaces {
		sp := s.Spaces[name]
		if sp == nil || sp.From != o.From || sp.Phase != Filled && sp.Phase != Existing {
			return fmt.Errorf("%w: %q is not filled", ErrNoSpace, name)
		}
	}
	for _, name := range o.Spaces {
		opened := *s.Spaces[name]
		opened.Phase = Existing
		s.Spaces[name] = &opened
	}
	return nil
}

// finish forgets the source of the spaces that are served.
func (s *State) finish(from string) {
	for name, sp := range s.Spaces {
		if sp.From == from && sp.Phase == Existing {
			finished := *sp
			finished.From = ""
			s.Spaces[name] = &finished
		}
	}
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

func (s *State) drop(d *ToDrop) error {
	s.Highest = max(s.Highest, d.Highest)
	return s.change(&d.NamedSpace, func(sp *Space) error { sp.Phase = Removing; return nil })
}

func (s *State) remove(name *NamedSpace) error {
	sp, err := s.space(*name)
	switch {
	case err != nil:
		return err
	case sp.Next != nil:
		s.Spaces[name.Name] = sp.Next
	default:
		delete(s.Spaces, name.Name)
	}
	return nil
}

// partition changes a partition of a space.
func (s *State) partition(name string, number int, by func(*Partition) error) error {
	sp := s.Spaces[name]
	if sp == nil || sp.Phase == Removing || number < 0 || number >= len(sp.Partitions) {
		return fmt.Errorf("%w: there is no partition %d of %q", ErrNoSpace, number, name)
	}
	changed := *sp
	changed.Partitions = slices.Clone(sp.Partitions)
	s.Spaces[name] = &changed
	if err := by(&changed.Partitions[number]); err != nil {
		s.Spaces[name] = sp
		return err
	}
	return nil
}

func (s *State) move(m *Move) error {
	return s.partition(m.Name, m.Partition, func(p *Partition) error {
		if have := p.Replicas(); len(m.To) != have {
			return fmt.Errorf("%w: partition %v has %d replicas: name as many nodes, not %d", ErrMove,
				txn.Address{Space: m.Name, Partition: uint16(m.Partition)}, have, len(m.To))
		}
		for i, node := range m.To {
			switch n, known := s.Nodes[node]; {
			case !known:
				return fmt.Errorf("%w: %q", ErrNoNode, node)
			case n.Duty == Leaves && !(m.Balances && p.Has(node)):
				return fmt.Errorf("%w: node %q is drained: name one that is not", ErrMove, node)
			case n.Duty == Follows && (i == 0 || !p.Has(node)) && !m.Balances:
				return fmt.Errorf("%w: node %q is drained, and leads nothing at present: name another one", ErrMove,
					node)
			}
			if slices.Contains(m.To[:i], node) {
				return fmt.Errorf("%w: two replicas on node %q", ErrMove, node)
			}
		}
		p.Target = m.To // also if it is there: its log may have moved, or another node leads it
		return nil
	})
}

func (s *State) settle(m *Settled) error {
	return s.partition(m.Name, m.Partition, func(p *Partition) error {
		if !slices.Equal(p.Target, m.On) {
			return fmt.Errorf("%w: it is to be moved elsewhere by now", ErrMove)
		}
		p.Nodes, p.Target = p.Target, nil
		return nil
	})
}

// sameNodes reports whether two lists name the same nodes, in any order.
func sameNodes(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// Replicas calls fn for each partition that has a replica on a node, and is not being removed.
func (s *State) Replicas(node string, fn func(at txn.Address, sp *Space, p Partition)) {
	for name, sp := range s.Spaces {
		for i, p := range sp.Partitions {
			if sp.Phase != Removing && p.Has(node) {
				fn(txn.Address{Space: name, Partition: uint16(i)}, sp, p)
			}
		}
	}
}
