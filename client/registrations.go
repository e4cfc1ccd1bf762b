package client

import (
	"context"
	"fmt"
	"time"

	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/space"
)

// RegistrationInfo describes a registration for events.
type RegistrationInfo struct {
	ID       space.LeaseID
	Kinds    []string // of its templates, "" for every kind
	On       space.EventSet
	Lease    time.Duration // what is left of it; space.Forever
	Events   uint64        // number of its events so far
	Unread   uint64        // number of unacknowledged events
	Attended bool          // it has a listener now
}

// Registrations returns the registrations of the space, of all clients, by ID, except those under transactions. It
// blocks until the server has answered. Registrations that come or end meanwhile may be missing.
func (s *part) Registrations(ctx context.Context) ([]RegistrationInfo, error) {
	var all []RegistrationInfo
	for more, after := true, uint64(0); more; {
		var page []RegistrationInfo
		var err error
		if page, more, err = s.registrationsAfter(ctx, after); err != nil {
			return nil, err
		}
		if len(page) == 0 {
			break
		}
		all = append(all, page...)
		after = uint64(page[len(page)-1].ID)
	}
	return all, nil
}

// registrationsAfter returns the next page.
func (s *part) registrationsAfter(ctx context.Context, after uint64) (page []RegistrationInfo, more bool, err error) {
	c := newCall(s, wire.Registrations)
	defer c.free()
	c.id = after
	r, err := c.do(ctx)
	if err != nil {
		return nil, false, err
	}
	for i := range r.Report.Registrations {
		g := &r.Report.Registrations[i]
		if g.ID <= after {
			return nil, false, fmt.Errorf("%w: registration %d after %d", wire.ErrMalformed, g.ID, after)
		}
		after = g.ID
		page = append(page, RegistrationInfo{
			ID: space.LeaseID(g.ID), Kinds: g.Kinds, On: space.EventSet(g.On), Lease: time.Duration(g.Left),
			Events: g.Seq, Unread: g.Unread, Attended: g.Attended,
		})
	}
	return page, r.More, nil
}
