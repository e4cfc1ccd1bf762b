package cluster

import (
	"context"
	"crypto/rand"
	"time"
)

// controller carries out, on the node that leads the control partition, what the State asks for: it makes and removes
// the logs of partitions. Each step is such that a successor can do it again.
type controller struct{ m *Member }

func newController(m *Member) *controller { return &controller{m} }

// DefaultSpace is there from the start.
const DefaultSpace = "default"

// retryPause is how long a controller waits after a step that has failed.
const retryPause = time.Second

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

// work does what is to be done in a state.
func (c *controller) work(ctx context.Context, state *State) {
	if state.Spaces[DefaultSpace] == nil && len(state.Nodes) >= c.m.cfg.Replicas {
		c.report(ctx, DefaultSpace, c.makeDefault(ctx, state))
	}
	for name, sp := range state.Spaces {
		var err error
		switch named := (NamedSpace{name, sp.Incarnation}); {
		case sp.Dropped:
			err = c.remove(ctx, &named, sp)
		case !sp.Made:
			err = c.make(ctx, &named, sp)
		}
		c.report(ctx, name, err)
	}
}

func (c *controller) report(ctx context.Context, name string, err error) {
	if err != nil && ctx.Err() == nil {
		c.m.cfg.Logger.Warn("a space cannot be made or removed yet", "space", name, "error", err)
	}
}

// makeDefault begins the space that is there from the start.
func (c *controller) makeDefault(ctx context.Context, state *State) error {
	_, err := c.m.control.Do(ctx, &Command{Create: &Created{
		DefaultSpace, rand.Text(), place(state, DefaultSpace, 1, c.m.cfg.Replicas),
	}})
	return err
}

// make has the logs of a new space made.
func (c *controller) make(ctx context.Context, name *NamedSpace, sp *Space) error {
	for i, p := range sp.Partitions {
		if err := c.m.cfg.Store.Create(ctx, name.Name, i, name.Incarnation, p.Nodes); err != nil {
			return err
		}
	}
	_, err := c.m.control.Do(ctx, &Command{Made: name})
	return err
}

// remove has the logs of a dropped space removed.
func (c *controller) remove(ctx context.Context, name *NamedSpace, sp *Space) error {
	for i := range sp.Partitions {
		if err := c.m.cfg.Store.Drop(ctx, name.Name, i); err != nil {
			return err
		}
	}
	_, err := c.m.control.Do(ctx, &Command{Remove: name})
	return err
}
