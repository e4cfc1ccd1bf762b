package cluster

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gospaces/gospaces/replication"
	"github.com/gospaces/gospaces/txn"
)

// Replica is one replica of a partition on this node, as its Keeper sees it. Its methods may be called concurrently;
// those without a context do not block.
type Replica interface {
	// Serving returns the epoch in which the replica serves the partition; false if it does not, or is not sure to.
	Serving() (epoch uint64, ok bool)
	// Position returns the position of the log up to which the replica has applied it.
	Position() uint64
	// Able returns why the replica could not lead, such as that it still reads its log; nil if it could: it follows,
	// and its log can be written.
	Able() error
	// Fit returns why another had better lead, such as a disk that is nearly full; nil if there is no reason. One that
	// is not fit leads if no other can.
	Fit() error
	// Primary returns the writer of the log, as far as the replica has read it.
	Primary() replication.Primary
	// Raft returns the state of the group that keeps the log, on this node.
	Raft() replication.Raft
	// Lead makes the replica the primary once that is safe. It returns an error if it did not become the primary.
	Lead(ctx context.Context) error
	// Resign gives up the partition in favour of an heir.
	Resign(ctx context.Context, heir string) error
	// Verify makes a replica that serves the partition notice if another has claimed it. A primary without calls would
	// not.
	Verify(ctx context.Context) error
	// Nudge lets the election time-out of the group run out now, Beat sends its heartbeat if it leads, and LeadHere
	// asks that it be led from this node.
	Nudge() error
	Beat()
	LeadHere() error
}

// Keeper watches the replicas on this node, and makes them lead when it is their turn. Its methods may be called
// concurrently.
type Keeper struct {
	self   string
	timing Timing
	sight  *Sight
	log    *slog.Logger

	mu      sync.Mutex
	watched map[txn.Address]*watch // guarded by mu
	busy    sync.WaitGroup         // claims and resignations under way
	drained atomic.Bool            // this node is to lead nothing
	ousted  atomic.Bool            // its name belongs to another folder: it is to lead nothing, for good
	news    chan struct{}          // capacity 1: a claim or a resignation has ended
	evened  time.Time              // when the last hand-over to spread primaries began; used by Run only
}

// NewKeeper returns the Keeper of the named node.
func NewKeeper(self string, timing Timing, sight *Sight, log *slog.Logger) *Keeper {
	return &Keeper{
		self: self, timing: timing, sight: sight, log: log, watched: map[txn.Address]*watch{},
		news: make(chan struct{}, 1),
	}
}

// Watch begins to watch a replica of a partition of a space, which is identified by Space.Created.
func (k *Keeper) Watch(at txn.Address, created uint64, p Partition, r Replica) {
	w := &watch{keeper: k, at: at, created: created, replica: r, since: time.Now()}
	k.mu.Lock()
	defer k.mu.Unlock()
	w.placeLocked(p)
	k.watched[at] = w
}

// Place changes where the replicas of a partition are, or are to be, if it is watched.
func (k *Keeper) Place(at txn.Address, p Partition) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if w := k.watched[at]; w != nil {
		w.placeLocked(p)
	}
}

// Unwatch ends the watching of a replica. A claim under way may still succeed.
func (k *Keeper) Unwatch(at txn.Address) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.watched, at)
}

// Parts returns what this node's heartbeats say of its replicas.
func (k *Keeper) Parts() []Part {
	parts := make([]Part, 0, 8)
	for at, w := range k.all() {
		p := Part{At: at, Created: w.created, Position: w.replica.Position(), Index: w.replica.Raft().Index}
		if epoch, serves := w.replica.Serving(); serves {
			p.Epoch = epoch
		}
		if err := cmp.Or(w.able(), w.replica.Fit()); err != nil {
			p.Why = err.Error()
		} else {
			p.Able = true
		}
		parts = append(parts, p)
	}
	return parts
}

func (k *Keeper) all() map[txn.Address]*watch {
	k.mu.Lock()
	defer k.mu.Unlock()
	return maps.Clone(k.watched)
}

// leads reports whether this node leads a partition that another could lead.
func (k *Keeper) leads() bool {
	for _, w := range k.all() {
		if _, serves := w.replica.Serving(); (serves || w.changing.Load()) && w.heir() != "" {
			return true
		}
	}
	return false
}

// tick is how often a Keeper looks at its replicas.
const tick = 20 * time.Millisecond

// Run watches until ctx ends, and returns when no claim is under way any more.
func (k *Keeper) Run(ctx context.Context) {
	t := time.NewTicker(tick)
	defer t.Stop()
	defer k.busy.Wait()
	for {
		select {
		case now := <-t.C:
			for _, w := range k.all() {
				w.look(ctx, now)
			}
		case <-ctx.Done():
			return
		}
	}
}

// watch is a replica that is watched.
type watch struct {
	keeper  *Keeper
	at      txn.Address
	created uint64
	ranked  []string // guarded by keeper.mu; the nodes that may lead the partition, the best placed one first
	members []string // guarded by keeper.mu; the nodes that have replicas of its log
	moving  bool     // guarded by keeper.mu; the first of ranked is to lead as soon as it can
	replica Replica
	since   time.Time // when the watching began

	changing atomic.Bool // a claim or a resignation is under way

	// What follows is used by Run only.
	election election            // of the log's leader
	asked    time.Time           // when the log's lead was asked for last, or was here
	beaten   time.Time           // when Beat was called last
	owner    replication.Primary // as seen the last time
	changed  time.Time           // when owner changed
	settled  time.Time           // since when the replica that is to lead could; zero: it cannot, or leads
}

func (w *watch) placeLocked(p Partition) {
	w.ranked, w.members, w.moving = p.Ranked(), p.Nodes, p.Target != nil
}

// look takes the next step for a replica, if there is one.
func (w *watch) look(ctx context.Context, now time.Time) {
	k := w.keeper
	epoch, serves := w.replica.Serving()
	owner, raft := w.replica.Primary(), w.replica.Raft()
	if owner != w.owner || w.changed.IsZero() {
		w.owner, w.changed = owner, now
	}
	turn := w.turn(owner)
	w.keepLed(raft, turn, now)
	if serves && k.sight.Newest(w.at) > epoch {
		w.verify(ctx)
		return
	}
	if serves {
		w.bringLog(raft, now)
		w.giveUp(ctx, now)
		return
	}
	w.settled = time.Time{}
	w.asked = now
	if raft.Leads && now.Sub(w.beaten) >= k.timing.Beat { // others may lack its last entry until its next heartbeat
		w.beaten = now
		w.replica.Beat()
	}
	if w.able() == nil && w.due(owner, turn, now) {
		w.lead(ctx)
	}
}

// due reports whether it is the turn of this replica to lead.
func (w *watch) due(owner replication.Primary, turn int, now time.Time) bool {
	k := w.keeper
	later := time.Duration(turn) * k.timing.Stagger
	if _, heard := k.sight.Part(k.self, w.at); !heard {
		return false // nothing is known of the others yet
	}
	if place, served := k.sight.Served(w.at); served && place.Epoch >= owner.Since {
		return false
	}
	switch {
	case owner.Heir == k.self, owner.Store == k.self: // handed over; or its own, from before a restart
		return true
	case owner.Store == "" && owner.Heir == "": // a new log, or handed over to any
		return now.Sub(w.changed) >= later
	case owner.Heir != "" && k.sight.Alive(owner.Heir):
		return now.Sub(w.changed) >= later+2*k.timing.Stagger
	}
	return k.sight.Unserved(w.at) >= k.timing.Suspect+later && now.Sub(w.since) >= k.timing.Suspect
}

// errDrained is why the replicas of a drained node do not lead.
var errDrained = errors.New("the node is drained, or is stopping")

// able returns why the replica could not lead, or may not.
func (w *watch) able() error {
	switch {
	case w.keeper.ousted.Load():
		return ErrReplaced
	case w.keeper.drained.Load():
		return errDrained
	}
	return w.replica.Able()
}

// lead has the replica lead, unless it is about to.
func (w *watch) lead(ctx context.Context) {
	w.change(func() {
		began := time.Now()
		err := w.replica.Lead(ctx)
		if epoch, ok := w.replica.Serving(); ok {
			w.keeper.log.Info("partition led here", "partition", w.at.String(), "epoch", epoch,
				"took", time.Since(began).Round(time.Millisecond))
		} else if ctx.Err() == nil {
			w.keeper.log.Debug("partition not led here", "partition", w.at.String(), "error", err)
		}
	})
}

// verify makes a replica notice that another has replaced it.
func (w *watch) verify(ctx context.Context) {
	w.change(func() {
		if err := w.replica.Verify(ctx); err != nil {
			w.keeper.log.Info("partition no longer led here", "partition", w.at.String(), "error", err)
		}
	})
}

// resign hands the partition over to another node.
func (w *watch) resign(ctx context.Context, heir string) {
	w.change(func() {
		began := time.Now()
		if err := w.replica.Resign(ctx, heir); err != nil {
			w.keeper.log.Warn("partition not handed over", "partition", w.at.String(), "to", heir, "error", err)
			return
		}
		w.keeper.log.Info("partition handed over", "partition", w.at.String(), "to", heir,
			"took", time.Since(began).Round(time.Millisecond))
	})
}

// change runs a claim or a resignation beside the watching, unless one is under way.
func (w *watch) change(do func()) {
	if !w.changing.CompareAndSwap(false, true) {
		return
	}
	w.keeper.busy.Go(func() {
		defer w.changing.Store(false)
		do()
		select {
		case w.keeper.news <- struct{}{}:
		default:
		}
	})
}

// giveUp hands over a partition that this node leads and another should lead: at once if this node is drained or unfit,
// or the partition is being moved; and after a while if another node is ranked first and leads fewer partitions.
func (w *watch) giveUp(ctx context.Context, now time.Time) {
	k := w.keeper
	if k.drained.Load() || w.replica.Fit() != nil {
		if heir := w.heir(); heir != "" {
			w.resign(ctx, heir)
		}
		return
	}
	ranked := w.ranking()
	if len(ranked) == 0 || ranked[0] == k.self || !w.isAsGood(ranked[0]) {
		w.settled = time.Time{}
		return
	}
	if w.settled.IsZero() {
		w.settled = now
	}
	k.mu.Lock()
	moving := w.moving
	k.mu.Unlock()
	if moving || now.Sub(w.settled) >= k.timing.Settle && w.isEven(ranked[0], now) {
		w.settled = now
		w.resign(ctx, ranked[0])
	}
}

// isEven reports whether primaries are spread more evenly if another node leads the partition, and records the time. A
// hand-over ends some transactions, so it must have a use; and the next one waits until heartbeats tell of this one.
func (w *watch) isEven(node string, now time.Time) bool {
	k := w.keeper
	if w.at == ControlAt || k.sight.Leads(k.self) < k.sight.Leads(node)+2 || now.Sub(k.evened) < k.timing.Stagger {
		return false
	}
	k.evened = now
	return true
}

// isAsGood reports whether the replica of another node could lead, and is not behind by much.
func (w *watch) isAsGood(node string) bool {
	p, known := w.keeper.sight.Part(node, w.at)
	return known && p.Able && w.keeper.sight.Alive(node) && p.Position+far >= w.replica.Position()
}

// heir returns the node that had best lead the partition after this one; "" if there is none that can.
func (w *watch) heir() (heir string) {
	var best Part
	for _, node := range w.ranking() {
		p, known := w.keeper.sight.Part(node, w.at)
		if node == w.keeper.self || !known || !p.Able || !w.keeper.sight.Alive(node) {
			continue
		}
		if heir == "" || ahead(p, best, false) {
			heir, best = node, p
		}
	}
	return heir
}

// turn returns how many nodes come before this one: the owner, if it serves, and the replicas that are better placed.
func (w *watch) turn(owner replication.Primary) (turn int) {
	k := w.keeper
	if owner.Store == k.self {
		return 0
	}
	own, _ := k.sight.Part(k.self, w.at)
	before := true
	for _, node := range w.ranking() {
		switch theirs, known := k.sight.Part(node, w.at); {
		case node == k.self:
			before = false
		case owner == (replication.Primary{}): // a new log, which others may not have opened yet
			if before && k.sight.Alive(node) {
				turn++
			}
		case node == owner.Store:
			if known && theirs.Epoch > 0 && k.sight.Alive(node) {
				turn++
			}
		case known && theirs.Able && k.sight.Alive(node) && (!own.Able || ahead(theirs, own, before)):
			turn++
		}
	}
	return turn
}

func (w *watch) ranking() []string {
	w.keeper.mu.Lock()
	defer w.keeper.mu.Unlock()
	return w.ranked
}

// far is the number of positions by which an engine may be behind another and still count as equal.
const far = 256

// ahead reports whether a replica is better placed to lead than another: it has applied far more; or it has more of the
// Raft log, so that only it can be elected; or before, it is ranked so.
func ahead(a, b Part, before bool) bool {
	switch {
	case a.Position > b.Position+far:
		return true
	case b.Position > a.Position+far:
		return false
	case a.Index != b.Index:
		return a.Index > b.Index
	}
	return before
}

// bringLog asks for the lead of the log of a partition that is led here: that saves a hop, and makes both fail together
// rather than one after the other.
func (w *watch) bringLog(raft replication.Raft, now time.Time) {
	if raft.Leads || !raft.Member || w.asked.IsZero() {
		w.asked = now
		return
	}
	if now.Sub(w.asked) >= w.keeper.timing.Move {
		w.asked = now
		if err := w.replica.LeadHere(); err != nil {
			w.keeper.log.Debug("the log cannot be brought here", "partition", w.at.String(), "error", err)
		}
	}
}

// keepLed makes a living node lead the log of a partition.
func (w *watch) keepLed(raft replication.Raft, turn int, now time.Time) {
	k := w.keeper
	k.mu.Lock()
	members := w.members
	k.mu.Unlock()
	if w.election.due(raft, k.sight, k.timing, members, turn, now) {
		if err := w.replica.Nudge(); err != nil {
			k.log.Debug("cannot have the log's leader elected", "partition", w.at.String(), "error", err)
		}
	}
}

// election is the state of a Raft group that has lost its leader. JetStream waits for seconds before it elects another;
// a nudge is an ordinary election time-out, only earlier. A careless one does harm: a node that is cut off from the
// others comes back with a high term, and topples their leader; and a nudge amid a vote begins another vote, so that
// two nodes keep each other from winning.
type election struct {
	lost   time.Time // since when there is no living leader; zero: there is one
	nudges int
	term   uint64
	next   time.Time // no nudge before
}

// due reports whether this node should nudge the group now, and records that. turn is the number of nodes that are
// better placed to do so.
func (e *election) due(raft replication.Raft, sight *Sight, timing Timing, members []string, turn int,
	now time.Time,
) bool {
	if !raft.Member {
		return false
	}
	if raft.Leads || raft.Leader != "" && sight.Alive(raft.Leader) {
		*e = election{term: raft.Term}
		return false
	}
	if e.lost.IsZero() {
		e.lost = now
	}
	if !majority(members, sight) || now.Sub(e.lost) < time.Duration(turn)*timing.Stagger {
		return false
	}
	if raft.Term != e.term { // a vote has begun, this node's or another's
		e.term = raft.Term
		if e.nudges > 0 || turn > 0 {
			e.next = now.Add(timing.Vote + rand.N(timing.Vote))
		}
	}
	if now.Before(e.next) {
		return false
	}
	e.nudges++
	e.next = now.Add(timing.Vote + rand.N(timing.Vote))
	return true
}

// majority reports whether more than half of some nodes are alive.
func majority(nodes []string, sight *Sight) bool {
	alive := 0
	for _, n := range nodes {
		if sight.Alive(n) {
			alive++
		}
	}
	return 2*alive > len(nodes)
}
