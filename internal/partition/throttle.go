package partition

import (
	"errors"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/txn"
)

// Throttle rejects calls that grow the log for a caller (writes, takes, updates, renewals, registrations and commits):
// they fail with why, which wraps call.ErrLogFull, and change nothing. Throttle(nil) lifts it.
//
// These are not throttled: reads; writes and changes under a transaction, which reach the log with its commit; the
// renewal of transactions; cancelling and aborting; decisions of the partition itself, such as the end of a lease;
// transactions over several partitions whose commit has begun; and calls that wait already. None of these grows the log
// without end, except for three bytes for each few thousand transactions, and a few for each commit of a transaction
// that has changed nothing.
func (p *Partition) Throttle(why error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.throttle = why
}

// admit returns the error of a throttled call that is not under a transaction and grows the log; nil if it is admitted.
// The lock is held.
func (p *Partition) admit() error {
	if p.throttle != nil {
		p.throttled++
	}
	return p.throttle
}

// admitRenewal is admit for renewals. Renewals of transactions are admitted, since their number is limited.
func (p *Partition) admitRenewal(ids []uint64) error {
	if p.throttle == nil || p.e.OnlyTxns(ids) {
		return nil
	}
	return p.admit()
}

// admitCommit is admit for the commit of a transaction. One that has changed nothing adds only a few bytes, one that
// has ended nothing at all.
func (p *Partition) admitCommit(id txn.ID, drafts []call.Draft) error {
	if p.throttle == nil || !p.e.Commits(id, len(drafts) > 0) {
		return nil
	}
	return p.admit()
}

// admitSpan returns the error of a commit over several partitions that is refused before it begins, because one of them
// is throttled.
func admitSpan(ps []*Partition) error {
	for _, p := range ps {
		p.mu.Lock()
		err := p.admit()
		p.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

// unavailable returns the error of calls that are refused because the log has failed with cause.
func unavailable(cause error) error {
	f, ok := errors.AsType[interface {
		error
		Full() bool
	}](cause)
	if ok && f.Full() {
		return call.ErrLogFull
	}
	return call.ErrUnavailable
}

// notReady is unavailable for a partition that is about to serve again.
func notReady(cause error) error {
	if err := unavailable(cause); err != call.ErrUnavailable {
		return err
	}
	return call.ErrNotReady
}
