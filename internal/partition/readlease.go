package partition

import (
	"context"
	"time"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/engine"
	"github.com/gospaces/gospaces/internal/record"
)

// A primary may have been replaced without having heard of it. What it appends is refused then, but what it answers
// from its state would be stale. So with Config.Lease it answers at once only while it has a read lease: it has sent a
// message less than Lease ago, and the log has acknowledged it. A candidate waits for longer than that,
// Config.Patience, after it has applied the message that its claim follows. If it has seen all messages, the lease has
// ended when it claims; if it has not, the log refuses the claim. Only the rates of clocks matter.
//
// An answer without a lease waits for a message that is sent after the answer was found, the open batch: its
// acknowledgement shows that no other had claimed the log by then. The message in flight does not show that, since its
// place in the log may be before another's claim. If the open batch is empty it gets a record that changes nothing, one
// for all answers that wait. So nothing is appended while no one reads, or someone writes.
//
// All answers are such reads: what was found or counted, and that there is nothing; pages of Contents, kinds, schemas;
// refusals, since what is full, locked, changed or ended depends on the state; outcomes of repeated calls, fates of
// transactions and calls, open transactions of a session, outcomes that branches ask for, lists of registrations. They
// leave by reply, or ask underLease themselves. Without a lease go:
//   - events, and the ends of registrations and of transactions that a holder is told of: what the log knows of depends
//     on records of its own, and of the rest only this primary knows;
//   - the ends of calls that wait because they were cancelled, or because of the partition's role;
//   - a step between the partitions of a transaction, other than its outcome: it has no effect without a record.
// Calls that wait give no answer, so they need no lease.

// instant is a moment by both clocks of the machine. The monotonic clock may stand still while the machine is
// suspended; the wall clock may be set.
type instant struct{ mono, wall time.Time }

// instant returns the current instant.
func (c *clock) instant() instant {
	now := time.Now()
	if !c.foreign {
		return instant{now, now.Round(0)}
	}
	return instant{now, c.wall().Round(0)}
}

// within reports whether the time from then to now is less than d by both clocks.
func (now instant) within(d time.Duration, then instant) bool {
	return now.mono.Sub(then.mono) < d && now.wall.Sub(then.wall) < d
}

// leased reports whether the primary has a lease.
func (p *Partition) leased() bool { return p.clock.instant().within(p.cfg.Lease, p.sent) }

// underLease returns the LSN that must be durable before an outcome may be shown that was found now and depends on lsn.
func (p *Partition) underLease(lsn LSN) LSN {
	cs := &p.commits
	if p.cfg.Lease == 0 || !cs.logged || lsn > cs.sent() || !p.role.leads() || p.leased() {
		return lsn
	}
	return cs.unsent(p.e)
}

// leads reports whether a partition writes the log in a role.
func (r role) leads() bool { return r == primary || r == resigning }

// sent returns the last LSN of the newest batch that was sent to the log.
func (cs *commits) sent() LSN {
	if cs.inFlight != nil {
		return cs.inFlight.lsn
	}
	return cs.durable
}

// unsent returns the LSN of the next batch to be sent to the log. If there is none, it makes one without changes.
func (cs *commits) unsent(e *engine.Engine) LSN {
	if len(cs.sealed) > 0 {
		return cs.sealed[0].lsn
	}
	if len(e.Log) == record.HeaderSize {
		e.Noop()
		cs.note(e)
	}
	return LSN(e.LSN())
}

// VerifyPrimary returns nil when the log shows that the partition was the primary after the call had begun. It blocks
// until then. It returns the error of calls if the partition is not the primary, or learns by this call that it was
// replaced; or ctx's error.
func (p *Partition) VerifyPrimary(ctx context.Context) error {
	return p.await(ctx, func(int64) call.Result {
		return call.Result{Depends: uint64(p.commits.unsent(p.e))}
	}, nil)
}
