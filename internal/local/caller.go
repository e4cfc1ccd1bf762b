package local

import (
	"context"
	"time"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/space"
)

// caller carries one call at a time to the partition and its outcome back. It is reused: a call costs no allocation but
// for what it returns. It implements partition.Caller.
type caller struct {
	call.Single
	out    outcome // written by Reply, read when the call is done
	number uint64  // of the current call; owned by the goroutine that makes it, as are those below
	drafts []call.Draft
	query  call.Query
	ids    []uint64
}

var _ partition.Caller = (*caller)(nil)

func newCaller() *caller { return &caller{Single: call.NewSingle()} }

// next begins a call and returns its number. Each has its own, so that nothing meant for an earlier call can reach it.
func (c *caller) next() uint64 {
	c.number++
	return c.number
}

// await waits for the outcome and returns its error. Every call has one: waits are ended by the partition when it
// closes, and what waits for the log when that fails.
func (c *caller) await() error {
	<-c.Done()
	return c.Err()
}

// end waits for the outcome of a call that ends a transaction, and does what is left of it. ctx does not end what all
// spaces must agree upon, and there is no log for which it could have to wait.
func (c *caller) end(ctx context.Context, rest partition.Span) ([]call.Grant, error) {
	if rest != nil {
		return rest(context.WithoutCancel(ctx))
	}
	if err := c.await(); err != nil {
		return nil, err
	}
	return c.out.grants, nil
}

// Reply implements partition.Caller.
func (c *caller) Reply(_ uint64, r *call.Result, lsn partition.LSN, durable bool) {
	c.out.copy(r)
	if c.query.Begin {
		c.out.at = time.Now()
	}
	c.Settle(r.Err, lsn, durable)
}

// keptCaller is the most that a caller's buffers keep for the next call: entries, and bytes of rows.
const (
	keptEntries = 1 << 10
	keptBytes   = 64 << 10
)

// reset forgets what the last call left behind and keeps the buffers, unless they have grown large.
func (c *caller) reset() {
	clear(c.drafts)
	clear(c.query.Templates)
	clear(c.out.errs)
	c.drafts = c.drafts[:0]
	c.query = call.Query{Templates: c.query.Templates[:0]}
	if cap(c.drafts)+cap(c.ids)+cap(c.out.found)+cap(c.out.grants) > keptEntries || cap(c.out.rows) > keptBytes {
		c.drafts, c.ids, c.out = nil, nil, outcome{}
	}
}

// leaseIDs returns ids as the partition takes them.
func (c *caller) leaseIDs(ids []space.LeaseID) []uint64 {
	c.ids = c.ids[:0]
	for _, id := range ids {
		c.ids = append(c.ids, uint64(id))
	}
	return c.ids
}

// outcome is a copy of a call.Result but for its error. Its slices are reused.
type outcome struct {
	rows   []byte  // of all entries found, one after the other
	found  []found // the entries
	grants []call.Grant
	errs   []error
	count  int
	counts []int
	apart  []call.Apart
	seq    uint64
	more   bool
	cursor call.Cursor

	version uint32
	fate    call.Fate
	at      time.Time // when the outcome came, if transactions were begun by it
}

// found is one entry of an outcome; its row ends at end.
type found struct {
	id       uint64
	kind     call.KindID
	version  uint32
	attempts uint32
	txn      uint64
	end      int
	died     *call.Death
	held     *call.Holding
}

func (o *outcome) copy(r *call.Result) {
	o.count, o.seq, o.more, o.cursor = r.Count, r.Seq, r.More, r.Cursor
	o.version, o.fate = r.Version, r.Fate
	o.rows, o.found = o.rows[:0], o.found[:0]
	for i := range r.Entries {
		e := &r.Entries[i]
		o.rows = append(o.rows, e.Row...)
		o.found = append(o.found, found{e.ID, e.Kind, e.Version, e.Attempts, e.Txn, len(o.rows), e.Died, e.Held})
	}
	o.grants = append(o.grants[:0], r.Grants...)
	o.errs = append(o.errs[:0], r.Errs...)
	o.counts = append(o.counts[:0], r.Counts...)
	o.apart = append(o.apart[:0], r.Apart...)
}

// leases returns a copy of the grants.
func (o *outcome) leases() []space.Grant { return leases(o.grants) }

// leases returns grants as callers of the space get them.
func leases(grants []call.Grant) []space.Grant {
	ls := make([]space.Grant, len(grants))
	for i, g := range grants {
		ls[i] = space.Grant{ID: space.LeaseID(g.ID), Granted: time.Duration(g.Granted)}
	}
	return ls
}

// leaseError returns a *LeaseError if one of the leases had ended.
func (o *outcome) leaseError(ids []space.LeaseID) error {
	var failed map[space.LeaseID]error
	for i, err := range o.errs {
		if err == nil {
			continue
		}
		if failed == nil {
			failed = make(map[space.LeaseID]error)
		}
		failed[ids[i]] = err
	}
	if failed == nil {
		return nil
	}
	return &space.LeaseError{Failed: failed}
}
