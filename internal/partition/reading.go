package partition

import (
	"context"
	"fmt"
	"time"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// A log without room takes no claim, so its partition cannot serve changes, be it at the start or after an append was
// refused. It is served for reading until there is room: the state is that of the log, and what the engine does to it
// by itself, such as to end leases, is not logged. So the state is made anew before changes are served.
//
// The transaction of a branch that is prepared in such a log may have been committed, as its client was told. Its home
// knows, and the branch is committed in memory. The coordinator does not learn of that: the home must not forget the
// decision before the log of the branch has it.

// lookForRoom is how often a partition that is served for reading looks whether there is room.
const lookForRoom = time.Second

// isFull reports whether a log has failed with err because it has no room.
func isFull(err error) bool { return err != nil && unavailable(err) == call.ErrLogFull }

// serveReading serves the state, without the transactions that a restart ends, and with those that were decided, while
// the log has no room for the reason given.
func (p *Partition) serveReading(ctx context.Context, cause error) {
	decided := p.decided(ctx)
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

// decided asks the homes of the prepared branches, and returns those that were committed. The lock is not held.
func (p *Partition) decided(ctx context.Context) (ids []txn.ID) {
	if p.cfg.Txns == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookForRoom)
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

// commitDecided commits branches in memory. The lock is held.
func (p *Partition) commitDecided(ids []txn.ID) {
	for _, id := range ids {
		p.e.CommitBranch(p.clock.now(), id)
		p.finish()
	}
}

// shows reports whether a transaction that began here was committed, according to a log that is served for reading.
func (p *Partition) shows(number uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.role == readOnly && p.e.Decided(number)
}

// awaitRoom waits until the log takes a claim, or the partition is closed.
func (p *Partition) awaitRoom() {
	why := p.Err()
	for p.rest(lookForRoom) {
		p.followHomes()
		if _, err := p.cfg.Log.Claim(p.ctx, p.position(), p.clock.next()); !isFull(err) {
			p.stepDown(why)
			return
		}
	}
}

// followHomes commits what was decided meanwhile, or by a home that could not tell before.
func (p *Partition) followHomes() {
	ids := p.decided(p.ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.role == readOnly {
		p.commitDecided(ids)
	}
}

// unreadable returns why calls are refused that change nothing; nil if they are not.
func (p *Partition) unreadable() error {
	if p.role == readOnly {
		return nil
	}
	return p.err
}

// replyKnown replies to a Register that changes nothing while the partition is served for reading: who reads by a Go type asks so. Otherwise it returns false.
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
