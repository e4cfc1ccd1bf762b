package cluster

import (
	"context"
	"sync"
	"time"

	"github.com/gospaces/gospaces/internal/backoff"
	"github.com/gospaces/gospaces/txn"
)

// roster has the replicas on this node be those that the State places on it.
type roster struct {
	m       *Member
	tended  map[txn.Address]*tended
	tending sync.WaitGroup
}

// tended is a replica on this node, from before it is opened until it is closed.
type tended struct {
	incarnation string
	dismiss     context.CancelCauseFunc
	over        chan struct{} // closed when it is closed
}

func newRoster(m *Member) *roster { return &roster{m: m, tended: map[txn.Address]*tended{}} }

// run follows the State until ctx ends, and closes all replicas then.
func (r *roster) run(ctx context.Context) {
	defer r.tending.Wait()
	for {
		state, changed := r.m.control.State()
		r.compare(ctx, state)
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// errDismissed ends the tending of a replica.
type errDismissed struct{ why Ending }

func (errDismissed) Error() string { return "cluster: the replica is not to be on this node" }

// compare starts the replicas that are missing, and ends those that are not to be here.
func (r *roster) compare(ctx context.Context, state *State) {
	if node := state.Nodes[r.m.self]; !r.m.leaving.Load() {
		r.m.keeper.drained.Store(node.Duty != Leads)
	}
	if state.Founders != nil {
		r.m.keeper.Rank(ControlAt, state.Founders, state.Founders, false)
	}
	wanted := map[txn.Address]string{}
	state.Replicas(r.m.self, func(at txn.Address, sp *Space, p Partition) {
		if sp.Phase != Existing {
			return
		}
		wanted[at] = sp.Incarnation
		if t := r.tended[at]; t != nil && t.incarnation == sp.Incarnation {
			r.m.keeper.Rank(at, p.Ranked(), p.Nodes, p.Target != nil)
		}
	})
	for at, t := range r.tended {
		if wanted[at] != t.incarnation {
			sp, why := state.Spaces[at.Space], Moved
			if sp == nil || sp.Phase == Removing || sp.Incarnation != t.incarnation {
				why = Dropped
			}
			t.dismiss(errDismissed{why})
		}
	}
	for at, incarnation := range wanted {
		if t := r.tended[at]; t == nil || t.incarnation != incarnation {
			r.start(ctx, at, incarnation, state.Spaces[at.Space].Partitions[at.Partition])
		}
	}
	for at, t := range r.tended {
		if wanted[at] == "" && isClosed(t.over) {
			delete(r.tended, at)
		}
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// start tends a replica, after the one of an earlier incarnation.
func (r *roster) start(ctx context.Context, at txn.Address, incarnation string, p Partition) {
	before := r.tended[at]
	ctx, dismiss := context.WithCancelCause(ctx)
	t := &tended{incarnation: incarnation, dismiss: dismiss, over: make(chan struct{})}
	r.tended[at] = t
	r.tending.Go(func() {
		defer close(t.over)
		if before != nil {
			<-before.over
		}
		r.tend(ctx, at, p)
	})
}

// tend opens a replica, has it watched, and closes it when ctx ends.
func (r *roster) tend(ctx context.Context, at txn.Address, p Partition) {
	pauses := &backoff.Backoff{Min: 50 * time.Millisecond, Max: 2 * time.Second}
	for ctx.Err() == nil {
		replica, err := r.m.cfg.Host.Open(ctx, at)
		if err != nil {
			if ctx.Err() == nil {
				r.m.cfg.Logger.Warn("a replica cannot be started yet", "partition", at.String(), "error", err)
			}
			_ = pauses.Wait(ctx)
			continue
		}
		r.m.keeper.Watch(at, p.Ranked(), p.Nodes, replica)
		<-ctx.Done()
		r.m.keeper.Unwatch(at)
		dismissed, _ := context.Cause(ctx).(errDismissed) // otherwise the node stops
		r.m.cfg.Host.Close(at, dismissed.why)
	}
}
