package client

import (
	"context"
	"fmt"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/space"
)

// reservation is an entry that a partition reserves for a call.
type reservation struct {
	found  []space.Entry
	link   *link  // by which it was made
	number uint64 // 0: nothing was found, or the entry needs no reservation because it is the transaction's own
}

// reserve finds an entry, or waits for one, as a take does, but only reserves it: for a second no other take gets it,
// except by its identity.
func (s *part) reserve(ctx context.Context, q *space.Query) (r reservation, err error) {
	c := newCall(s, wire.Find)
	defer c.free()
	c.query, c.reserve = *q, true
	c.waitFor(q)
	result, err := c.do(ctx)
	if err != nil {
		return r, err
	}
	if len(result.Entries) != 1 {
		return r, fmt.Errorf("%w: %d entries are reserved", wire.ErrMalformed, len(result.Entries))
	}
	r.number, r.link = result.Entries[0].Txn, c.via
	r.found, err = c.entries(result)
	return r, err
}

// release ends the reservation, if there is one. It does not wait: without a connection the reservation ends by itself.
func (r *reservation) release(s *part) {
	if r.number != 0 {
		a := &call.Ask{ID: r.number}
		r.link.post(wire.Release, 0, wire.OpOf(wire.Release).Append(nil, s.handle, a))
	}
}
