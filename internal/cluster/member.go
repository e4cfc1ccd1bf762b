package cluster

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/gospaces/gospaces/internal/backoff"
	"github.com/gospaces/gospaces/replication"
	"github.com/gospaces/gospaces/txn"
)

// Config configures a Member. All fields are required, but for Zone, Version, Scarce and Logger.
type Config struct {
	Store    *replication.Store // of the cluster
	Founders []string           // the nodes with which the cluster began; the same on all
	Addr     string             // for clients
	Zone     string             // replicas of a partition are in different ones if possible
	Version  string             // of the program
	Replicas int                // of the space that is there from the start
	Timing   Timing
	Host     Host
	Scarce   func() bool // whether this node has too little memory for more entries; it does not block
	Logger   *slog.Logger
}

// Host opens and closes the replicas of this node.
type Host interface {
	// Open starts the replica of a partition of the space that was created then (Space.Created). It blocks until the
	// replica has made its state, or ctx ends.
	Open(ctx context.Context, at txn.Address, created uint64) (Replica, error)
	// Close ends the replica of a partition, which Open has started. It blocks until the replica has ended.
	Close(at txn.Address, why Ending)
}

// Member is a node as a member of its cluster. Its methods may be called concurrently.
type Member struct {
	cfg     Config
	self    string
	control *Control
	sight   *Sight
	keeper  *Keeper

	ctx     context.Context // ends with Leave
	cancel  context.CancelFunc
	running sync.WaitGroup
	leaving atomic.Bool // HandOver was called
	folder  *ownFolder
}

// Ending is why a replica on this node ends.
type Ending uint8

const (
	Stopped Ending = iota // the node stops
	Moved                 // the replica has moved to another node
	Dropped               // the space was dropped
)

// ControlSpace is the name under which the control partition has its log. No space may have it.
const ControlSpace = "_control"

// ControlAt is the address of the control partition.
var ControlAt = txn.Address{Space: ControlSpace}

// controlNodes returns the nodes that have replicas of the control partition.
func (c *Config) controlNodes() []string {
	nodes := slices.Sorted(slices.Values(c.Founders))
	return nodes[:min(len(nodes), 3)]
}

// NewMember returns a member of the cluster of a store. The caller calls Join next.
func NewMember(cfg Config) *Member {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	self := cfg.Store.Node()
	sight := NewSight(self, cfg.Timing)
	m := &Member{
		cfg: cfg, self: self, sight: sight,
		control: NewControl(self, cfg.Store.Conn(), cfg.Logger),
		keeper:  NewKeeper(self, cfg.Timing, sight, cfg.Logger),
	}
	sight.state = func() *State { s, _ := m.control.State(); return s }
	m.control.admits = m.admits
	m.folder = newOwnFolder(self, cfg.Store.ID())
	m.ctx, m.cancel = context.WithCancel(context.Background())
	return m
}

// Join makes this node a member of the cluster. It blocks until the node follows the control partition and the others
// know it, and returns ctx's cause if ctx ends first; ErrReplaced if the node's name belongs to another folder, and
// ErrTwin if another node with its name is alive. The caller calls Leave in the end, also after an error.
func (m *Member) Join(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := m.defend(ctx); err != nil {
		return err
	}
	m.running.Go(func() {
		select {
		case <-m.Lost():
			cancel()
		case <-ctx.Done():
		}
	})
	err := m.join(ctx)
	if lost := m.Err(); lost != nil {
		return lost
	}
	return err
}

// join is Join, without regard to other folders.
func (m *Member) join(ctx context.Context) error {
	log, err := openControl(ctx, m.cfg)
	if err != nil {
		return err
	}
	m.control.open(log)
	sub, err := m.cfg.Store.Conn().Subscribe(subjectBeat, m.hear)
	if err != nil {
		return err
	}
	m.keeper.Watch(ControlAt, 0, Partition{Nodes: m.cfg.controlNodes()}, m.control)
	m.running.Go(func() { m.beat(m.ctx, sub) })
	m.running.Go(func() { m.control.Run(m.ctx) })
	if m.cfg.Store.Durable() { // otherwise a log that is lost begins anew
		m.running.Go(func() { m.control.keep(m.ctx, keepEvery) })
	}
	m.running.Go(func() { m.keeper.Run(m.ctx) })
	m.running.Go(func() { m.keepMetaLed(m.ctx) })
	m.running.Go(func() { newController(m).run(m.ctx) })
	m.running.Go(func() { newRoster(m).run(m.ctx) })
	if err := m.answerClaims(m.ctx); err != nil {
		return err
	}
	return m.announce(ctx)
}

// openControl opens the log of the control partition, and makes it when the cluster is new.
func openControl(ctx context.Context, cfg Config) (*replication.Log, error) {
	for {
		if err := cfg.Store.Create(ctx, ControlSpace, 0, "control", cfg.controlNodes()); err != nil {
			return nil, fmt.Errorf("make the control partition: %w", err)
		}
		log, err := cfg.Store.Log(ctx, ControlSpace, 0)
		if !errors.Is(err, replication.ErrNoLog) { // the one that was asked may not know of it yet
			return log, err
		}
		if err := backoff.Sleep(ctx, retryPause); err != nil {
			return nil, err
		}
	}
}

// announce makes this node known to the others.
func (m *Member) announce(ctx context.Context) error {
	_, err := m.control.Do(ctx, m.joinCommand())
	return err
}

func (m *Member) joinCommand() *Command {
	return &Command{Join: &Joined{m.self, Node{
		Addr: m.cfg.Addr, Folder: m.folder.Folder, Zone: m.cfg.Zone, Version: m.cfg.Version,
	}}}
}

// HandOver makes other nodes lead what this one leads, if any of them can. It blocks until they do, or ctx ends. The
// State does not change here any more: calls that wait for that end. The caller calls Leave next.
func (m *Member) HandOver(ctx context.Context) {
	defer m.control.close()
	if ctx.Err() != nil {
		return
	}
	m.leaving.Store(true)
	m.keeper.drained.Store(true)
	for ctx.Err() == nil && m.keeper.leads() {
		_ = backoff.Sleep(ctx, tick)
	}
}

// Drain sets the duty of a node. It returns when the State has it; other nodes take over a while later, and moves to
// the node that are under way go to others if there are any. It returns ErrNoNode, and the cause of ctx's end.
func (m *Member) Drain(ctx context.Context, node string, duty Duty) error {
	state, _ := m.control.State()
	_, err := m.control.Do(ctx, m.drainCommand(state, node, duty))
	return err
}

func (m *Member) drainCommand(state *State, node string, duty Duty) *Command {
	var silent []string
	for name := range state.Nodes {
		if !m.sight.Alive(name) {
			silent = append(silent, name)
		}
	}
	slices.Sort(silent)
	return &Command{Drain: &Drained{node, duty, silent}}
}

// Move begins to move the replicas of a partition to some nodes, the first of which will lead it. It returns when the
// State has the move, which takes a while longer. It returns ErrNoSpace, ErrNoNode, ErrMove, and the cause of ctx's
// end.
func (m *Member) Move(ctx context.Context, at txn.Address, to []string) error {
	_, err := m.control.Do(ctx, &Command{Move: &Move{Name: at.Space, Partition: int(at.Partition), To: to}})
	return err
}

// Forget removes a node, which has no replicas and will not come back: also from the nodes that keep the control
// partition, and from those of which a majority must be there to make spaces. It returns when that is done. It returns
// ErrNoNode; ErrNeeded while the node is alive, or has replicas, or if no other node could have its replica of the
// control partition; and the cause of ctx's end. It may be repeated.
func (m *Member) Forget(ctx context.Context, node string) error {
	state, err := m.Latest(ctx)
	if err != nil {
		return err
	}
	founders, err := m.foundersAfter(ctx, state, node)
	if err != nil {
		return err
	}
	if !slices.Equal(founders, state.Founders) {
		if err := m.replaceFounder(ctx, state, founders); err != nil {
			return err
		}
	}
	if err := m.cfg.Store.Exclude(ctx, node); err != nil {
		return err
	}
	_, err = m.control.Do(ctx, &Command{Forget: &NamedNode{node}})
	return err
}

// foundersAfter returns the nodes that keep the control partition once a node is forgotten, or why it cannot be.
func (m *Member) foundersAfter(ctx context.Context, state *State, node string) ([]string, error) {
	if _, err := state.next(state.Position, &Command{Forget: &NamedNode{node}}); err != nil {
		return nil, err
	}
	if !m.isSilent(ctx, node) {
		return nil, fmt.Errorf("%w: %q is alive: stop it first", ErrNeeded, node)
	}
	if !slices.Contains(state.Founders, node) {
		return state.Founders, nil
	}
	return state.foundersWithout(node, m.sight.Alive)
}

// isSilent reports whether a node is silent. For one that was stopped a moment ago it waits until that shows.
func (m *Member) isSilent(ctx context.Context, node string) bool {
	t := time.NewTicker(tick)
	defer t.Stop()
	for heard := m.sight.Heard(node); m.sight.Alive(node); {
		select {
		case <-t.C:
		case <-ctx.Done():
			return false
		}
		if m.sight.Heard(node) != heard {
			return false
		}
	}
	return true
}

// replaceFounder moves the replicas of the control partition to other founders, and waits for that.
func (m *Member) replaceFounder(ctx context.Context, state *State, founders []string) error {
	if err := m.cfg.Store.Place(ctx, ControlSpace, 0, founders); err != nil {
		return err
	}
	for !m.cfg.Store.Outside() {
		have, err := m.cfg.Store.Replicas(ctx, ControlSpace, 0)
		if err == nil && areCurrent(have, founders, nil) {
			break
		}
		if backoff.Sleep(ctx, retryPause/10) != nil {
			return fmt.Errorf("the control partition is not on nodes %v yet: %w", founders, context.Cause(ctx))
		}
	}
	_, err := m.control.Do(ctx, &Command{Found: &Founded{Nodes: founders, Were: state.Founders}})
	return err
}

// areCurrent reports whether replicas are those on some nodes, and each has all of the log, but for those of given
// nodes.
func areCurrent(have []replication.Replica, on, but []string) bool {
	var nodes []string
	for _, r := range have {
		if !r.Current && !slices.Contains(but, r.Node) {
			return false
		}
		nodes = append(nodes, r.Node)
	}
	return sameNodes(nodes, on)
}

// Plan returns, in order, the moves that would follow if a node was drained or forgotten, or the replicas of a
// partition were moved: what c says, if it is not nil. The last of them bring replicas where they should be. Nothing is
// changed. Plan returns the errors that c would meet, and the cause of ctx's end.
func (m *Member) Plan(ctx context.Context, c *Command) ([]Move, error) {
	s, err := m.Latest(ctx)
	if err != nil {
		return nil, err
	}
	if c == nil {
		return s.balanced(), nil
	}
	switch {
	case c.Drain != nil:
		c = m.drainCommand(s, c.Drain.Name, c.Drain.Duty) // which knows who is silent
	case c.Forget != nil:
		_, err = m.foundersAfter(ctx, s, c.Forget.Name)
	}
	if err != nil {
		return nil, err
	}
	after, err := s.next(s.Position, c)
	if err != nil {
		return nil, err
	}
	moves := after.begun(s)
	for i := range moves {
		after = after.moved(&moves[i])
	}
	return append(moves, after.balanced()...), nil
}

// Leave ends the membership: the replicas on this node are closed.
func (m *Member) Leave() {
	m.cancel()
	m.control.close()
	m.running.Wait()
}

// State returns what the cluster has agreed on, as far as this node knows, and a channel that is closed when that
// changes.
func (m *Member) State() (*State, <-chan struct{}) { return m.control.State() }

// Latest returns a state that is at least as new as the call. It returns the cause of ctx's end.
func (m *Member) Latest(ctx context.Context) (*State, error) {
	return m.control.Do(ctx, m.joinCommand())
}

// Sight returns what this node has heard of the others.
func (m *Member) Sight() *Sight { return m.sight }

// subjectBeat is where heartbeats are published.
const subjectBeat = "gs.beat"

// beat sends heartbeats until ctx ends.
func (m *Member) beat(ctx context.Context, sub *nats.Subscription) {
	defer func() { _ = sub.Unsubscribe() }()
	t := time.NewTicker(m.cfg.Timing.Beat)
	defer t.Stop()
	var buf []byte
	for early := false; ; {
		b := Beat{
			Early: early, Node: m.self, Folder: m.folder.Folder, Addr: m.cfg.Addr, Control: m.control.Position(),
			Hears: m.sight.Living(), Parts: m.keeper.Parts(),
		}
		b.Scarce = m.cfg.Scarce != nil && m.cfg.Scarce()
		buf = appendBeat(buf[:0], &b)
		if err := m.cfg.Store.Conn().Publish(subjectBeat, buf); err != nil {
			m.cfg.Logger.Debug("heartbeat not sent", "error", err)
		}
		select {
		case <-t.C:
			early = false
		case <-m.keeper.news: // others, and their clients, are to know at once who leads
			early = true
		case <-ctx.Done():
			return
		}
	}
}

func (m *Member) hear(msg *nats.Msg) {
	b, err := parseBeat(msg.Data)
	if err != nil {
		return
	}
	m.warn(b)
	if b.Node != m.self || b.Folder == m.folder.Folder {
		m.sight.Hear(b)
	}
}

// keepMetaLed keeps a leader for JetStream's own group, without which its API does not answer.
func (m *Member) keepMetaLed(ctx context.Context) {
	var e election
	t := time.NewTicker(m.cfg.Timing.Beat)
	defer t.Stop()
	for {
		select {
		case now := <-t.C:
			turn := 0
			for _, node := range m.sight.Living() {
				if node < m.self {
					turn++
				}
			}
			if e.due(m.cfg.Store.Meta(), m.sight, m.cfg.Timing, m.cfg.Founders, turn, now) {
				if err := m.cfg.Store.NudgeMeta(); err != nil {
					m.cfg.Logger.Debug("cannot have JetStream's leader elected", "error", err)
				}
			}
		case <-ctx.Done():
			return
		}
	}
}

// ErrFewNodes is returned for a space that is to have more replicas than the cluster has nodes.
var ErrFewNodes = errors.New("cluster: too few nodes")

// CreateSpace makes a space, unless there is one, and returns its incarnation. It returns when all living nodes know
// the space, and its partitions are served; or ctx's cause. It returns ErrFewNodes.
func (m *Member) CreateSpace(ctx context.Context, name string, partitions, replicas int) (string, error) {
	for {
		state, changed := m.control.State()
		switch sp := state.Spaces[name]; {
		case sp != nil && sp.Phase != Removing:
			return sp.Incarnation, m.awaitServed(ctx, name, sp)
		case sp != nil: // its logs are being removed
			if err := awaitChange(ctx, changed); err != nil {
				return "", err
			}
			continue
		}
		if have := len(state.Nodes); have < replicas && len(m.cfg.Founders) >= replicas { // the others are about to join
			if err := awaitChange(ctx, changed); err != nil {
				return "", err
			}
			continue
		} else if have < replicas {
			return "", fmt.Errorf("%w: a space of %d replicas needs as many nodes, and there are %d",
				ErrFewNodes, replicas, have)
		}
		_, err := m.control.Do(ctx, &Command{Create: &Created{name, rand.Text(), place(state, name, partitions, replicas)}})
		if errors.Is(err, ErrExists) { // another node was faster, and this one does not know it yet
			err = awaitChange(ctx, changed)
		}
		if err != nil {
			return "", err
		}
	}
}

func awaitChange(ctx context.Context, changed <-chan struct{}) error {
	select {
	case <-changed:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// awaitServed returns when all living nodes know a space, and its partitions are served.
func (m *Member) awaitServed(ctx context.Context, name string, sp *Space) error {
	now, _ := m.control.State()
	position := now.Position
	for {
		served := m.sight.Controls(position)
		for i := range sp.Partitions {
			_, ok := m.sight.Served(txn.Address{Space: name, Partition: uint16(i)})
			served = served && ok
		}
		if served {
			return nil
		}
		state, _ := m.control.State()
		if now := state.Spaces[name]; now == nil || now.Incarnation != sp.Incarnation || now.Phase == Removing {
			return fmt.Errorf("%w: %q was dropped meanwhile", ErrNoSpace, name)
		}
		if backoff.Sleep(ctx, m.cfg.Timing.Beat/10) != nil {
			return fmt.Errorf("space %q is not served yet: %w", name, context.Cause(ctx))
		}
	}
}

// DropSpace removes a space with all that it holds. It returns when the living nodes know that, and its name can be
// used again; or ctx's cause, after which the removal goes on. It returns ErrNoSpace. State.Highest is at least highest
// from then on.
func (m *Member) DropSpace(ctx context.Context, name string, highest uint64) error {
	now, _ := m.control.State()
	sp := now.Spaces[name]
	if sp == nil || sp.Phase == Removing {
		return fmt.Errorf("%w: %q", ErrNoSpace, name)
	}
	state, err := m.control.Do(ctx, &Command{Drop: &ToDrop{NamedSpace{name, sp.Incarnation}, highest}})
	if err != nil {
		return err
	}
	for {
		now, changed := m.control.State()
		if is := now.Spaces[name]; is == nil || is.Incarnation != sp.Incarnation {
			break
		}
		if err := awaitChange(ctx, changed); err != nil {
			return err
		}
	}
	for !m.sight.Controls(state.Position) {
		if err := backoff.Sleep(ctx, m.cfg.Timing.Beat/10); err != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}
