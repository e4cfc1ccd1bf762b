package cluster

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gospaces/gospaces/txn"
)

// controller carries out what the State asks for, on the node that leads the control partition: it makes, moves and
// removes the logs of partitions. Its steps are idempotent, since a successor may repeat them.
type controller struct {
	m     *Member
	moved time.Time                 // when the last move to balance the nodes began
	waits map[txn.Address]time.Time // since when moves wait, or when that was last logged
}

func newController(m *Member) *controller {
	return &controller{m: m, waits: map[txn.Address]time.Time{}}
}

// longWait is the interval at which the reason why a move waits is logged.
const longWait = 30 * time.Second

// DefaultSpace is there from the start.
const DefaultSpace = "default"

// retryPause is how long a controller waits after a step that has failed.
const retryPause = time.Second

// stepTime bounds a step: one that does not succeed must not keep the other partitions from theirs. It is repeated.
const stepTime = 10 * time.Second

// run works until ctx ends.
func (c *controller) run(ctx context.Context) {
	for {
		state, changed := c.m.control.State()
		retry := time.NewTimer(retryPause)
		if c.m.control.leads() {
			c.work(ctx, state)
		}
		select {
		case <-changed:
		case <-retry.C:
		case <-ctx.Done():
			return
		}
		retry.Stop()
	}
}

// work takes the next steps that a state asks for.
func (c *controller) work(ctx context.Context, state *State) {
	if state.Spaces[DefaultSpace] == nil && len(state.Nodes) >= c.m.cfg.Replicas {
		c.report(ctx, DefaultSpace, c.makeDefault(ctx, state))
	}
	for name, sp := range state.Spaces {
		var err error
		switch named := (NamedSpace{name, sp.Incarnation}); sp.Phase {
		case Removing:
			err = c.remove(ctx, &named, sp)
		case Making:
			err = c.make(ctx, &named, sp)
		case Existing:
			err = c.settle(ctx, name, sp)
		}
		c.report(ctx, name, err)
	}
	if state.Founders == nil {
		_, err := c.m.control.Do(ctx, &Command{Found: &Founded{Nodes: c.m.cfg.controlNodes()}})
		c.report(ctx, ControlSpace, err)
	}
	c.balance(ctx, state)
}

func (c *controller) report(ctx context.Context, name string, err error) {
	if err != nil && ctx.Err() == nil {
		c.m.cfg.Logger.Warn("a space cannot be made, removed or moved yet", "space", name, "error", err)
	}
}

// bounded takes a step within stepTime.
func bounded(ctx context.Context, step func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, stepTime)
	defer cancel()
	return step(ctx)
}

// makeDefault begins the space that is there from the start.
func (c *controller) makeDefault(ctx context.Context, state *State) error {
	_, err := c.m.control.Do(ctx, &Command{Create: &Created{
		DefaultSpace, rand.Text(), place(state, DefaultSpace, 1, c.m.cfg.Replicas),
	}})
	return err
}

// make makes the logs of a new space.
func (c *controller) make(ctx context.Context, name *NamedSpace, sp *Space) error {
	for i, p := range sp.Partitions {
		err := bounded(ctx, func(ctx context.Context) error {
			return c.m.cfg.Store.Create(ctx, name.Name, i, name.Incarnation, p.Nodes)
		})
		if err != nil {
			return err
		}
	}
	_, err := c.m.control.Do(ctx, &Command{Made: name})
	return err
}

// remove removes the logs of a dropped space.
func (c *controller) remove(ctx context.Context, name *NamedSpace, sp *Space) error {
	for i := range sp.Partitions {
		err := bounded(ctx, func(ctx context.Context) error { return c.m.cfg.Store.Drop(ctx, name.Name, i) })
		if err != nil {
			return err
		}
	}
	_, err := c.m.control.Do(ctx, &Command{Remove: name})
	return err
}

// settle takes the next steps in the moves of a space's partitions. A move has three steps: the new nodes follow the
// partition; the log moves to them; the first of them leads. The State records the begin and the end of a move.
func (c *controller) settle(ctx context.Context, name string, sp *Space) error {
	var errs []error
	for i, p := range sp.Partitions {
		if p.Target == nil {
			continue
		}
		at := txn.Address{Space: name, Partition: uint16(i)}
		var reason string
		err := bounded(ctx, func(ctx context.Context) (err error) {
			reason, err = c.step(ctx, at, p)
			return err
		})
		c.await(at, p, reason)
		done := reason == ""
		if err == nil && done {
			_, err = c.m.control.Do(ctx, &Command{Settle: &Settled{name, i, p.Target}})
		}
		if done && err == nil {
			c.m.cfg.Logger.Info("partition moved", "partition", at.String(), "from", p.Nodes, "to", p.Target)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// await logs from time to time what a move waits for.
func (c *controller) await(at txn.Address, p Partition, reason string) {
	since, waits := c.waits[at]
	switch {
	case reason == "":
		delete(c.waits, at)
	case !waits:
		c.waits[at] = time.Now()
	case time.Since(since) >= longWait:
		c.m.cfg.Logger.Warn("a move waits", "partition", at.String(), "to", p.Target, "for", reason)
		c.waits[at] = time.Now()
	}
}

// step takes the next step of a move, and returns what the move waits for then; "" if that was the last step.
func (c *controller) step(ctx context.Context, at txn.Address, p Partition) (reason string, err error) {
	if reason := c.m.awaited(at, p); reason != "" {
		return reason, nil
	}
	store := c.m.cfg.Store
	if err := store.Place(ctx, at.Space, int(at.Partition), p.Target); err != nil {
		return "the placement of its log", err
	}
	if !store.Outside() { // otherwise it does not matter where the log is
		have, err := store.Replicas(ctx, at.Space, int(at.Partition))
		switch {
		case err != nil:
			return "an answer of its log", err
		case !areCurrent(have, p.Target, c.m.staying(p)):
			return fmt.Sprintf("the replicas of its log, which are %+v", have), nil
		}
	}
	return c.m.unled(at, p), nil
}

// MoveWaits returns what the move of a partition waits for, as far as this node knows; "" if it is not moved.
func (m *Member) MoveWaits(at txn.Address, p Partition) string {
	if p.Target == nil {
		return ""
	}
	return cmp.Or(m.awaited(at, p), m.unled(at, p), "the replicas of its log")
}

// awaited returns the replica for which a move waits before the log moves; "" if all of them follow.
func (m *Member) awaited(at txn.Address, p Partition) string {
	state, _ := m.control.State()
	stay := m.staying(p)
	for _, node := range p.Target {
		leads := state.Nodes[node].Duty == Leads || !slices.Contains(p.Nodes, node)
		switch part, _ := m.sight.Part(node, at); {
		case slices.Contains(stay, node):
		case !m.sight.Alive(node):
			return "node " + node + ", which is silent"
		case leads && !part.Able && part.Epoch == 0:
			return "the replica at node " + node + ", which does not follow yet: " +
				cmp.Or(part.Why, "it is not open yet")
		}
	}
	return ""
}

// staying returns the nodes for which a move does not wait: those that leave, and keep the replica which they have
// while another one moves; and all of them if the move is about who leads. They may be lost.
func (m *Member) staying(p Partition) (nodes []string) {
	if sameNodes(p.Nodes, p.Target) {
		return p.Target
	}
	state, _ := m.control.State()
	for _, node := range p.Target {
		if state.Nodes[node].Duty == Leaves && slices.Contains(p.Nodes, node) {
			nodes = append(nodes, node)
		}
	}
	return nodes
}

// unled returns the node that is to lead a partition which has moved; "" if it does.
func (m *Member) unled(at txn.Address, p Partition) string {
	switch place, served := m.sight.Served(at); {
	case slices.Contains(p.Nodes, p.Target[0]) && !m.mayLead(p.Target[0]): // it would be waited for in vain
		return ""
	case !served:
		return "a node that serves it"
	case place.Node != p.Target[0]:
		return "node " + p.Target[0] + " to lead it, in place of " + place.Node
	}
	return ""
}

// mayLead reports whether a node is alive and not drained.
func (m *Member) mayLead(node string) bool {
	state, _ := m.control.State()
	return m.sight.Alive(node) && state.Nodes[node].Duty == Leads
}

// balance begins the next move that brings replicas where they should be, if all replicas are well.
func (c *controller) balance(ctx context.Context, state *State) {
	move := nextMove(state)
	if move == nil || !c.isWhole(state) || !state.hasLeaver() && time.Since(c.moved) < c.m.cfg.Timing.Settle {
		return
	}
	c.moved = time.Now()
	c.m.cfg.Logger.Info("partition is to move", "space", move.Name, "partition", move.Partition, "to", move.To)
	_, err := c.m.control.Do(ctx, &Command{Move: move})
	c.report(ctx, move.Name, err)
}

// hasLeaver reports whether a node is to have no replicas, which is not put off.
func (s *State) hasLeaver() bool {
	for _, node := range s.Nodes {
		if node.Duty == Leaves {
			return true
		}
	}
	return false
}

// isWhole reports whether all replicas of all partitions follow or lead, and none is being moved. Those of a node that
// leaves do not matter: it may be lost.
func (c *controller) isWhole(state *State) bool {
	for name, sp := range state.Spaces {
		if !sp.isSettled() {
			return false
		}
		for i, p := range sp.Partitions {
			for _, node := range p.Nodes {
				part, _ := c.m.sight.Part(node, txn.Address{Space: name, Partition: uint16(i)})
				duty := state.Nodes[node].Duty
				if duty != Leaves && !c.m.sight.Alive(node) || !part.Able && part.Epoch == 0 && duty == Leads {
					return false
				}
			}
		}
	}
	return true
}
