package partition

import (
	"context"

	"github.com/gospaces/gospaces/internal/call"
)

// Hear makes h the holder of transactions without a session, until Gone.
func (p *Partition) Hear(h Holder) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.holders[0] = h
}

// Adopt makes h the holder of a session's transactions, until Gone, and calls reply with the open ones. That the others
// have ended may be shown once lsn is durable; the rules of Reply apply. Adopt fails, and changes nothing, while the
// partition cannot know.
func (p *Partition) Adopt(session uint64, h Holder, reply func(open []call.OpenTxn, lsn LSN, durable bool)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.unreadable(); err != nil {
		return err
	}
	p.holders[session] = h
	lsn := p.underLease(LSN(p.e.LSN()))
	reply(p.e.Adopt(session), lsn, p.settled(h, lsn))
	return nil
}

// disown undoes Adopt, unless another holder has adopted the transactions. The lock is held.
func (p *Partition) disown(c Caller) {
	for session, h := range p.holders {
		if h == c {
			delete(p.holders, session)
		}
	}
}

// tellHolders tells holders of the transactions that the engine's last call has ended.
func (p *Partition) tellHolders() {
	for _, l := range p.e.Lost {
		if h := p.holders[l.By.Session]; h != nil {
			lsn := LSN(p.e.LSN())
			h.TxnLost(l.Txn, l.Why, lsn, p.settled(h, lsn))
		}
	}
}

// pendingVolatile reports whether the record that makes a transaction of this partition volatile is not in the log yet,
// or may never be.
func (p *Partition) pendingVolatile(number uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err != nil || LSN(p.e.VolatileAt(number)) > p.durable()
}

// awaitVolatile returns once that record is in the log, or ctx has ended.
func (p *Partition) awaitVolatile(ctx context.Context, number uint64) error {
	return p.await(ctx, func(int64) call.Result { return call.Result{Depends: p.e.VolatileAt(number)} }, nil)
}
