package partition

import (
	"context"
	"fmt"
	"time"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// A log without room takes no claim, so its partition cannot serve changes, neither at the start nor after a refused
// append. Until there is room it serves reads: its state is that of the log, and what the engine does on its own, such
// as ending leases, is not logged. The state is therefore rebuilt before changes are served.
//
// A transaction whose prepared branch is in such a log may have been committed, and its client told. Its home knows, so
// the branch is committed in memory before anything is served. The coordinator does not learn of that: the home must
// not forget the decision before the log of the branch has it.

const (
	// lookForRoom is the interval at which a read-only partition checks whether there is room.
	lookForRoom = time.Second
	// waitForHomes is how long a partition that has read its log again waits for the homes of its prepared branches to
	// have done the same. If a home takes longer, what it has committed is not visible here until it is back.
	waitForHomes = 10 * time.Second
	// lookAtHome is the interval at which it checks that.
	lookAtHome = 5 * time.Millisecond
)

// isFull reports whether a log has failed with err because it has no room.
func isFull(err error) bool { return err != nil && unavailable(err) == call.ErrLogFull }

// serveReading serves reads while the log has no room, for the given cause: from the state without the transactions
// that a restart ends, and with those that were decided.
func (p *Partition) serveReading(ctx context.Context, cause error) {
	decided := p.decidedBefore(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	why := fmt.Errorf("%w: the space is served for reading only until there is room: %w", call.ErrLogFull, cause)
	if !p.become(readOnly, why) {
		return
	}
	p.commits.logged = false
	p.cfg.Logger.Warn("the log has no room: the space is served for reading only", "error", cause)
	p.e.EndVolatile(p.clock.now())
	p.finish()
	p.commitDecided(decided)
}

// decidedBefore returns the prepared branches that may have been seen committed, if the state was rebuilt: this
// partition committed them in memory, and its log failed before it had that. At the first start no caller has seen
// anything yet, and the coordinator's start follows. The lock is not held.
func (p *Partition) decidedBefore(ctx context.Context) []txn.ID {
	p.mu.Lock()
	first := p.old == nil
	p.mu.Unlock()
	if first {
		return nil
	}
	return p.decided(ctx, waitForHomes)
}

// decided asks the homes of the prepared branches, and returns the committed ones. It waits up to atMost for homes that
// are reading their logs. The lock is not held.
func (p *Partition) decided(ctx context.Context, atMost time.Duration) (ids []txn.ID) {
	if p.cfg.Txns == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	for _, id := range p.prepared() {
		if p.cfg.Txns.Committed(ctx, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

func (p *Partition) prepared() []txn.ID {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.e.Prepared()
}

// commitDecided commits branches in memory, and in the log if that has room. The lock is held.
func (p *Partition) commitDecided(ids []txn.ID) {
	if p.unreadable() != nil {
		return
	}
	for _, id := range ids {
		p.e.CommitBranch(p.clock.now(), id)
		p.finish()
	}
}

// logged reports whether a transaction that began here was committed, if the log is known but not written. Before a
// standby partition has claimed the log, another may decide.
func (p *Partition) logged(number uint64) (decided, known bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	read := p.role == candidate || p.role == readOnly
	decided = read && p.e.Decided(number)
	return decided, decided || read && !p.cfg.Standby
}

// awaitRoom waits until the log takes a claim, or the partition is closed.
func (p *Partition) awaitRoom() {
	why := p.Err()
	for p.rest(lookForRoom) {
		p.followHomes()
		if _, err := p.cfg.Log.Claim(p.ctx, p.Position(), p.clock.next()); !isFull(err) {
			p.stepDown(why)
			return
		}
	}
}

// followHomes commits, in a read-only partition, what was decided meanwhile, or by a home that did not know before.
func (p *Partition) followHomes() {
	if p.now() != readOnly {
		return
	}
	ids := p.decided(p.ctx, lookForRoom)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.commitDecided(ids)
}

// unreadable returns the error of calls that change nothing; nil if they are served.
func (p *Partition) unreadable() error {
	if p.role == readOnly {
		return nil
	}
	return p.refusal()
}

// replyKnown replies to a Register that changes nothing while the partition is read-only, as a typed read makes it.
// Otherwise it returns false.
func (p *Partition) replyKnown(c Caller, callID uint64, s *template.Schema) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	id := p.KindID(s.Kind)
	if p.role != readOnly || !covers(p.Schema(id), s) {
		return false
	}
	c.Reply(callID, &call.Result{Count: int(id)}, 0, true)
	return true
}

// covers reports whether a kind has all fields of a schema.
func covers(have, s *template.Schema) bool {
	if have == nil {
		return false
	}
	for _, f := range s.Fields {
		if i := have.Index(f.Name); i < 0 || have.Fields[i].Class != f.Class {
			return false
		}
	}
	return true
}
