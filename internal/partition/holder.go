package partition

import (
	"context"

	"github.com/gospaces/gospaces/internal/call"
)

// Hear makes h the one to be told of what becomes of the transactions of no session, until Gone.
func (p *Partition) Hear(h Holder) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.holders[0] = h
}

// Adopt makes h the one to be told of what becomes of the transactions of a session, until Gone, and tells reply which
// are open. That the others have ended may be shown when lsn is durable; the rules of Reply apply. It fails, and
// changes nothing, while the partition cannot tell.
func (p *Partition) Adopt(session uint64, h Holder, reply func(open []call.OpenTxn, lsn LSN, durable bool)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.unreadable(); err != nil {
		return err
	}
	p.holders[session] = h
	lsn := LSN(p.e.LSN())
	reply(p.e.Adopt(session), lsn, p.settled(h, lsn))
	return nil
}

// disown ends that, unless another has adopted them. The lock is held.
func (p *Partition) disown(c Caller) {
	for session, h := range p.holders {
		if h == c {
			delete(p.holders, session)
		}
	}
}

// tellHolders passes on which transactions the engine's last call has ended.
func (p *Partition) tellHolders() {
	for _, l := range p.e.Lost {
		if h := p.holders[l.By.Session]; h != nil {
			lsn := LSN(p.e.LSN())
			h.TxnLost(l.Txn, l.Why, lsn, p.settled(h, lsn))
		}
	}
}

// pendingVolatile reports whether the log is yet to learn that a transaction which began here is volatile.
func (p *Partition) pendingVolatile(number uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err == nil && LSN(p.e.VolatileAt(number)) > p.durable()
}

// awaitVolatile returns once the log knows that, or ctx has ended.
func (p *Partition) awaitVolatile(ctx context.Context, number uint64) error {
	return p.await(ctx, func(int64) call.Result { return call.Result{Depends: p.e.VolatileAt(number)} }, nil)
}
