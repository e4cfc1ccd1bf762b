package client

import (
	"context"
	"slices"
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
func (s *Space) Registrations(ctx context.Context) ([]RegistrationInfo, error) {
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
func (s *Space) registrationsAfter(ctx context.Context, after uint64) (page []RegistrationInfo, more bool, err error) {
	c := newCall(s, wire.Registrations)
	defer c.free()
	c.id = after
	if err := s.client.do(ctx, c); err != nil {
		return nil, false, err
	}
	d := wire.NewDecoder(c.body)
	more = d.Byte() != 0
	for d.More() {
		w, state := d.Watching(), d.Uvarint()
		if w.ID <= after && d.Ok() {
			d.Fail()
		}
		after = w.ID
		page = append(page, RegistrationInfo{
			ID: space.LeaseID(w.ID), Kinds: slices.Clip(w.Kinds), On: space.EventSet(w.On), Lease: time.Duration(w.Left),
			Events: w.Seq, Unread: state >> 1, Attended: state&1 != 0,
		})
	}
	return page, more, d.Err()
}
