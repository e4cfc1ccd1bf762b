package impl

import (
	"slices"
	"sync"

	"github.com/gospaces/gospaces/space"
)

// OpenTxns are the transactions that have begun in a space and that have not ended as far as is known here, for an
// implementation of Space that tells their holders when it turns out that they have (Txn.Lose). Its zero value is
// ready; its methods may be called concurrently.
type OpenTxns struct {
	mu       sync.Mutex
	byNumber map[uint64]openTxn // guarded by mu
	// guarded by mu; how many there are when it is time to look for those whose leases are over
	sweepAt int
}

// openTxn is a transaction, and whatever it belongs to: a session.
type openTxn struct {
	txn   *space.Txn
	owner any
}

// minSweep is the number of transactions up to which it does not matter if some have ended.
const minSweep = 1 << 10

// Add notes that a transaction has begun that belongs to owner, which is comparable.
func (o *OpenTxns) Add(t *space.Txn, owner any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.byNumber == nil {
		o.byNumber, o.sweepAt = map[uint64]openTxn{}, minSweep
	}
	if len(o.byNumber) >= o.sweepAt {
		o.sweepLocked()
	}
	o.byNumber[t.ID().Number] = openTxn{t, owner}
}

// sweepLocked forgets those that were never ended, and whose leases are over.
func (o *OpenTxns) sweepLocked() {
	for number, x := range o.byNumber {
		if x.txn.Lease().Remaining() <= 0 {
			delete(o.byNumber, number)
		}
	}
	o.sweepAt = max(minSweep, 2*len(o.byNumber))
}

// Remove forgets a transaction, which has ended, and returns it; nil if it is not there.
func (o *OpenTxns) Remove(number uint64) *space.Txn {
	o.mu.Lock()
	defer o.mu.Unlock()
	x := o.byNumber[number]
	delete(o.byNumber, number)
	return x.txn
}

// Owner returns what a transaction belongs to; nil if it is not there.
func (o *OpenTxns) Owner(number uint64) any {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.byNumber[number].owner
}

// Missing removes and returns the transactions of owner that are not among the ones that are open.
func (o *OpenTxns) Missing(owner any, open []uint64) (gone []*space.Txn) {
	open = slices.Sorted(slices.Values(open))
	o.mu.Lock()
	defer o.mu.Unlock()
	for number, x := range o.byNumber {
		if _, still := slices.BinarySearch(open, number); x.owner == owner && !still {
			gone = append(gone, x.txn)
			delete(o.byNumber, number)
		}
	}
	return gone
}

// Any reports whether there are transactions of owner.
func (o *OpenTxns) Any(owner any) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, x := range o.byNumber {
		if x.owner == owner {
			return true
		}
	}
	return false
}
