package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/gospaces/gospaces/replication"
)

// keepEvery is the number of commands after which a node takes a snapshot of the state. It bounds the log of the
// control partition to a few times as many messages.
const keepEvery = 1000

// keep takes a snapshot of the state after every so many commands, until ctx ends, and removes from the log what nodes
// do not need any more: a node that was away for longer fetches the snapshot of another.
func (c *Control) keep(ctx context.Context, every uint64) {
	kept := uint64(0)
	for {
		state, changed := c.State()
		if state.Position >= kept+every {
			if err := c.snapshot(ctx, state); err != nil && ctx.Err() == nil {
				c.logger.Warn("the control log cannot be shortened", "error", err)
			}
			kept = state.Position // or it is tried again in as many commands
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// snapshot stores a state. If this node leads, it shortens the log.
func (c *Control) snapshot(ctx context.Context, state *State) error {
	body, err := json.Marshal(state)
	if err != nil {
		return err
	}
	s, err := c.log.Snapshot(state.Position, clock())
	if err != nil {
		return err
	}
	if err := s.Write(body); err != nil {
		return errors.Join(err, s.Abort())
	}
	if err := s.Commit(); err != nil || !c.leads() {
		return err
	}
	return c.log.Purge(ctx, state.Position)
}

// load makes the state that of the newest snapshot, if this node has one that is newer, or the log does not go on from
// the state that it has. It returns the position of the state.
func (c *Control) load(ctx context.Context) (position uint64, err error) {
	var kept *State
	at, _, err := c.log.Load(ctx, func(records []byte) error { return json.Unmarshal(records, &kept) }, nil)
	if err != nil {
		return 0, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if kept == nil || kept.Position <= c.state.Position {
		return c.state.Position, nil
	}
	if kept.Position != at {
		return 0, fmt.Errorf("%w: a snapshot at position %d has the state of position %d", replication.ErrBadSnapshot, at,
			kept.Position)
	}
	c.replaceLocked(kept)
	return at, nil
}
