package partition

import (
	"errors"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/txn"
)

// Hold makes calls fail with why that would make the log longer for the sake of a caller, until it is called with nil:
// writes, takes, updates, renewals, registrations and commits. why wraps call.ErrLogFull, and the calls have then
// changed nothing. What goes on is whatever reads; what is written and changed under a transaction, which the log hears
// of when it commits; the renewal of transactions; what gives up, which is cancelling and aborting; what the partition
// decides itself, such as the end of a lease; and transactions over several partitions whose commit has
// begun. Neither does Hold touch calls that wait already. Nothing of that makes a log longer without end, but for
// three bytes with each few thousand transactions, and a few with each commit of a transaction that has changed
// nothing.
func (p *Partition) Hold(why error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hold = why
}

// admit returns why a call that is not under a transaction, and makes the log longer, is refused; nil if it is not. The lock is held.
func (p *Partition) admit() error {
	if p.hold != nil {
		p.held++
	}
	return p.hold
}

// admitRenewal is admit for the renewal of leases. That of transactions goes on, since there is an end to it.
func (p *Partition) admitRenewal(ids []uint64) error {
	if p.hold == nil || p.e.OnlyTxns(ids) {
		return nil
	}
	return p.admit()
}

// admitCommit is admit for the commit of a transaction. One that has changed nothing leaves a few bytes in it, one that has ended
// nothing.
func (p *Partition) admitCommit(id txn.ID, drafts []call.Draft) error {
	if p.hold == nil || !p.e.Commits(id, len(drafts) > 0) {
		return nil
	}
	return p.admit()
}

// admitSpan returns why the commit of a transaction in several partitions is refused before anything is done for it: because one of them is held.
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

// unavailable returns which error calls are refused with because the log has failed with cause.
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
