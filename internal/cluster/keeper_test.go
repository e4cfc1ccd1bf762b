package cluster

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/replication"
	"github.com/gospaces/gospaces/txn"
)

// scripted is a Replica that says what it is told to, and notes what is asked of it.
type scripted struct {
	epoch    uint64
	position uint64
	unable   error
	unfit    error
	primary  replication.Primary
	raft     replication.Raft

	led            chan struct{}
	deaf           bool   // it waits for an acknowledgement
	heir           string // of the last resignation
	nudged, beaten int
	brought        int
	verified       int
}

func (s *scripted) Serving() (uint64, bool)      { return s.epoch, s.epoch > 0 && !s.deaf }
func (s *scripted) Fit() error                   { return s.unfit }
func (s *scripted) Position() uint64             { return s.position }
func (s *scripted) Able() error                  { return s.unable }
func (s *scripted) Primary() replication.Primary { return s.primary }
func (s *scripted) Raft() replication.Raft       { return s.raft }
func (s *scripted) Nudge() error                 { s.nudged++; return nil }
func (s *scripted) Beat()                        { s.beaten++ }
func (s *scripted) LeadHere() error              { s.brought++; return nil }
func (s *scripted) Verify(context.Context) error {
	s.epoch, s.verified = 0, s.verified+1
	return replication.ErrFenced
}

func (s *scripted) Resign(_ context.Context, heir string) error {
	s.epoch, s.heir = 0, heir
	return nil
}

func (s *scripted) Lead(context.Context) error { s.led <- struct{}{}; return nil }

// desk is a Keeper of node a, with one replica, and what the nodes b and c say in their heartbeats.
type desk struct {
	t     *testing.T
	k     *Keeper
	sight *Sight
	r     *scripted
	now   time.Time
	says  map[string]*Part // of living nodes
	leads map[string]int   // how many other partitions they serve
}

func newDesk(t *testing.T) *desk {
	d := &desk{
		t: t, sight: newSight(0), now: time.Now(),
		r:     &scripted{led: make(chan struct{}, 1), raft: replication.Raft{Member: true, Leader: "b"}},
		leads: map[string]int{},
		says:  map[string]*Part{"a": {At: jobs, Able: true}, "b": {At: jobs, Able: true}, "c": {At: jobs, Able: true}},
	}
	d.k = NewKeeper("a", Timings(1), d.sight, slog.New(slog.DiscardHandler))
	d.k.Watch(jobs, 0, Partition{Nodes: []string{"b", "a", "c"}}, d.r)
	d.k.watched[jobs].since = d.now
	return d
}

// pass lets some time pass, in which the living nodes beat and the keeper looks; it reports whether it has the replica
// lead.
func (d *desk) pass(during time.Duration) (led bool) {
	for end := d.now.Add(during); d.now.Before(end); d.now = d.now.Add(tick) {
		if d.now.UnixMilli()/100 != d.now.Add(-tick).UnixMilli()/100 {
			for _, node := range []string{"b", "c", "a"} {
				if p := d.says[node]; p != nil {
					parts := []Part{*p}
					for i := range d.leads[node] {
						parts = append(parts, Part{At: txn.Address{Space: "others", Partition: uint16(i)}, Epoch: 1})
					}
					d.sight.Hear(&Beat{Node: node, Addr: node, Parts: parts})
				}
			}
		}
		d.k.watched[jobs].look(d.t.Context(), d.now)
		d.k.busy.Wait()
		select {
		case <-d.r.led:
			return true
		default:
		}
	}
	return false
}

// servedBy lets a node serve the partition in an epoch.
func (d *desk) servedBy(node string, epoch uint64) {
	d.says[node].Epoch = epoch
	d.r.primary = replication.Primary{Since: epoch, Store: node}
}

func TestKeeper_LeavesAServedPartitionAlone(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.servedBy("b", 5)
	require.False(t, d.pass(10*time.Second))
	require.Zero(t, d.r.nudged+d.r.beaten+d.r.brought)
}

func TestKeeper_ReplacesADeadPrimary(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.servedBy("b", 5)
	d.pass(time.Second)
	d.says["b"] = nil
	require.False(t, d.pass(200*time.Millisecond))
	require.True(t, d.pass(500*time.Millisecond))
	require.Positive(t, d.r.nudged, "the log has lost its leader, too")
}

func TestKeeper_ReplacesAPrimaryThatIsUpAndDoesNotServe(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.servedBy("b", 5)
	d.pass(time.Second)
	d.says["b"].Epoch, d.says["b"].Able = 0, false
	require.True(t, d.pass(time.Second))
	require.Zero(t, d.r.nudged, "the leader of the log lives")
}

func TestKeeper_TheBetterPlacedComesFirst(t *testing.T) {
	t.Parallel()
	for name, better := range map[string]*Part{
		"more of the Raft log": {At: jobs, Able: true, Index: 11, Position: 100},
		"far ahead":            {At: jobs, Able: true, Index: 10, Position: 1000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			d.says["a"].Index, d.says["a"].Position = 10, 100
			d.servedBy("b", 5)
			d.says["c"] = better
			d.pass(time.Second)
			d.says["b"] = nil
			require.False(t, d.pass(Timings(1).Stagger))
			require.True(t, d.pass(Timings(1).Suspect+2*Timings(1).Beat), "c has had its chance")
		})
	}
}

func TestKeeper_AnHeirLeadsAtOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.servedBy("b", 5)
	d.pass(time.Second)
	d.r.primary = replication.Primary{Since: 9, Heir: "a"}
	d.says["b"].Epoch = 0
	require.True(t, d.pass(2*tick))
}

func TestKeeper_WaitsForAnotherHeir(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.servedBy("b", 5)
	d.pass(time.Second)
	d.r.primary = replication.Primary{Since: 9, Heir: "c"}
	d.says["b"].Epoch, d.says["b"].Able = 0, false
	require.False(t, d.pass(Timings(1).Stagger))
	d.says["c"] = nil
	require.True(t, d.pass(Timings(1).Stagger+time.Second))
}

func TestKeeper_ANewLogGoesToTheFirst(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	require.False(t, d.pass(Timings(1).Stagger-100*time.Millisecond), "b is the first")
	require.True(t, d.pass(time.Second))

	d = newDesk(t)
	d.k.Place(jobs, Partition{Nodes: []string{"a", "b", "c"}})
	require.True(t, d.pass(4*Timings(1).Beat))
}

func TestKeeper_AReplicaThatCannotLeadDoesNot(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.servedBy("b", 5)
	d.r.unable, d.says["b"] = errReading, nil
	require.False(t, d.pass(10*time.Second))
}

func TestKeeper_DoesNotNudgeInAMinority(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.servedBy("b", 5)
	d.pass(time.Second)
	d.says["b"], d.says["c"] = nil, nil
	d.pass(10 * time.Second)
	require.Zero(t, d.r.nudged)
}

func TestKeeper_DoesNotNudgeAmidAVote(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.servedBy("b", 5)
	d.pass(time.Second)
	d.says["b"], d.r.raft.Leader = nil, ""
	d.pass(time.Second)
	for range 10 {
		before := d.r.nudged
		d.r.raft.Term++
		d.pass(Timings(1).Vote - 2*tick)
		require.LessOrEqual(t, d.r.nudged, before+1)
		d.r.raft.Term++ // the nudge has begun a vote
		d.pass(Timings(1).Vote - 2*tick)
		require.LessOrEqual(t, d.r.nudged, before+1)
	}
}

func TestKeeper_BringsTheLogToThePrimary(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.servedBy("a", 5)
	d.r.epoch, d.r.raft.Leader = 5, "c"
	d.pass(Timings(1).Move - 5*tick)
	require.Zero(t, d.r.brought)
	d.pass(10 * tick)
	require.Equal(t, 1, d.r.brought)
	d.r.raft.Leads, d.r.raft.Leader = true, "a"
	d.pass(10 * time.Second)
	require.Equal(t, 1, d.r.brought)
}

func TestKeeper_BeatsForALogThatItLeadsBeforeItServes(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.servedBy("b", 5)
	d.r.raft.Leads, d.r.raft.Leader = true, "a"
	d.pass(time.Second)
	require.InDelta(t, 10, d.r.beaten, 1)
}

func TestKeeper_HandsOverToTheFirstOnceItIsBack(t *testing.T) {
	t.Parallel()
	d := newDesk(t) // b is the first
	d.servedBy("a", 5)
	d.r.epoch, d.r.position, d.r.raft.Leads = 5, 1000, true
	d.says["b"].Position = 1
	d.leads["a"] = 1
	d.pass(2 * Timings(1).Settle)
	require.Empty(t, d.r.heir, "b is behind")
	d.says["b"].Position = 999
	d.pass(Timings(1).Settle - time.Second)
	require.Empty(t, d.r.heir)
	d.pass(2 * time.Second)
	require.Equal(t, "b", d.r.heir)
}

func TestKeeper_HandsNothingOverForNothing(t *testing.T) {
	t.Parallel()
	d := newDesk(t) // b is the first
	d.servedBy("a", 5)
	d.r.epoch, d.r.raft.Leads = 5, true
	d.pass(2 * Timings(1).Settle)
	require.Empty(t, d.r.heir, "b would lead one, and a none")
	d.leads["a"], d.leads["b"] = 3, 3
	d.pass(2 * Timings(1).Settle)
	require.Empty(t, d.r.heir)
	d.k.Place(jobs, Partition{Nodes: []string{"a", "b", "c"}, Target: []string{"b", "a", "c"}})
	d.pass(time.Second)
	require.Equal(t, "b", d.r.heir, "an operator has asked for it")
}

func TestKeeper_ADrainedNodeHandsOverAtOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.servedBy("a", 5)
	d.r.epoch, d.r.raft.Leads = 5, true
	d.pass(time.Second)
	d.says["b"], d.says["c"].Position = nil, 7
	d.pass(time.Second)
	require.Empty(t, d.r.heir)
	d.k.drained.Store(true)
	require.False(t, d.pass(time.Second))
	require.Equal(t, "c", d.r.heir)
	for _, p := range d.k.Parts() {
		require.False(t, p.Able)
		require.Equal(t, "the node is drained, or is stopping", p.Why)
	}
}

// A primary without calls appends nothing, and so hears from the others only that it was replaced.
func TestKeeper_AReplacedPrimaryIsMadeToNotice(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.servedBy("a", 5)
	d.r.epoch, d.r.raft.Leads = 5, true
	d.pass(time.Second)
	require.Zero(t, d.r.verified)
	d.says["c"].Epoch = 9
	d.pass(time.Second)
	require.Equal(t, 1, d.r.verified)
}

// A primary that cannot hear, or whose log has failed, has had an epoch. It must not keep others from leading.
func TestKeeper_SaysNotThatItServesWhatItServesNoMore(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.r.epoch = 5
	require.EqualValues(t, 5, d.k.Parts()[0].Epoch)
	d.r.deaf = true
	require.Zero(t, d.k.Parts()[0].Epoch)
}

// A replica on a disk that is nearly full is no heir, and leads if there is no other.
func TestKeeper_OneThatIsNotFitComesLast(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.r.unfit = errors.New("its disk is nearly full")
	require.Equal(t, Part{At: jobs, Why: "its disk is nearly full"}, d.k.Parts()[0])
	d.servedBy("b", 5)
	d.says["a"].Able = false
	d.pass(time.Second)
	d.says["b"] = nil
	require.False(t, d.pass(time.Second), "it is the turn of c")
	d.says["c"] = nil
	require.True(t, d.pass(5*time.Second))

	d.r.epoch = 6
	d.servedBy("a", 6)
	d.pass(time.Second)
	require.EqualValues(t, 6, d.r.epoch, "there is no other")
	d.says["c"] = &Part{At: jobs, Able: true}
	d.pass(time.Second)
	require.Equal(t, "c", d.r.heir)
}
