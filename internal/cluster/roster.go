package cluster

import (
	"context"
	"sync"
	"time"

	"github.com/gospaces/gospaces/internal/backoff"
	"github.com/gospaces/gospaces/txn"
)

// roster opens and closes replicas on this node, as the State places them.
type roster struct {
	m       *Member
	tended  map[txn.Address]*tended
	tending sync.WaitGroup
}

// tended is a replica on this node, from before it is opened until it is closed.
type tended struct {
	at          txn.Address
	incarnation string
	created     uint64 // Space.Created
	keeper      *Keeper
	dismiss     context.CancelCauseFunc
	dismissed   bool
	over        chan struct{} // closed when it is closed

	mu     sync.Mutex
	placed Partition // guarded by mu
}

// place records where the State places the replicas of the partition.
func (t *tended) place(p Partition) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.placed = p
	t.keeper.Place(t.at, p)
}

// watch gives an open replica to the keeper.
func (t *tended) watch(r Replica) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.keeper.Watch(t.at, t.created, t.placed, r)
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

// compare starts the replicas that the State places here, and ends the others.
func (r *roster) compare(ctx context.Context, state *State) {
	if node := state.Nodes[r.m.self]; !r.m.leaving.Load() {
		r.m.keeper.drained.Store(node.Duty != Leads)
	}
	if state.Founders != nil {
		r.m.keeper.Place(ControlAt, Partition{Nodes: state.Founders})
	}
	wanted := map[txn.Address]string{}
	state.Replicas(r.m.self, func(at txn.Address, sp *Space, p Partition) {
		if sp.Phase != Existing {
			return
		}
		wanted[at] = sp.Incarnation
		if t := r.tended[at]; t.is(sp.Incarnation) {
			t.place(p)
		}
	})
	for at, t := range r.tended {
		if wanted[at] != t.incarnation && !t.dismissed {
			sp, why := state.Spaces[at.Space], Moved
			if sp == nil || sp.Phase == Removing || sp.Incarnation != t.incarnation {
				why = Dropped
			}
			t.dismissed = true
			t.dismiss(errDismissed{why})
		}
	}
	for at, incarnation := range wanted {
		if !r.tended[at].is(incarnation) {
			r.start(ctx, at, state.Spaces[at.Space])
		}
	}
	for at, t := range r.tended {
		if wanted[at] == "" && isClosed(t.over) {
			delete(r.tended, at)
		}
	}
}

// is reports whether t is a replica of an incarnation that is to stay. One that was dismissed is not, even if it is
// wanted again.
func (t *tended) is(incarnation string) bool {
	return t != nil && t.incarnation == incarnation && !t.dismissed
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// start tends a replica, after the one that was dismissed before.
func (r *roster) start(ctx context.Context, at txn.Address, sp *Space) {
	before := r.tended[at]
	ctx, dismiss := context.WithCancelCause(ctx)
	t := &tended{
		at: at, incarnation: sp.Incarnation, created: sp.Created, keeper: r.m.keeper, dismiss: dismiss,
		over: make(chan struct{}), placed: sp.Partitions[at.Partition],
	}
	r.tended[at] = t
	r.tending.Go(func() {
		defer close(t.over)
		if before != nil {
			<-before.over
		}
		r.tend(ctx, t)
	})
}

// tend opens a replica, gives it to the keeper, and closes it when ctx ends.
func (r *roster) tend(ctx context.Context, t *tended) {
	pauses := &backoff.Backoff{Min: 50 * time.Millisecond, Max: 2 * time.Second}
	for ctx.Err() == nil {
		replica, err := r.m.cfg.Host.Open(ctx, t.at, t.created)
		if err != nil {
			if ctx.Err() == nil {
				r.m.cfg.Logger.Warn("a replica cannot be started yet", "partition", t.at.String(), "error", err)
			}
			_ = pauses.Wait(ctx)
			continue
		}
		t.watch(replica)
		<-ctx.Done()
		r.m.keeper.Unwatch(t.at)
		dismissed, _ := context.Cause(ctx).(errDismissed) // otherwise the node stops
		r.m.cfg.Host.Close(t.at, dismissed.why)
	}
}
