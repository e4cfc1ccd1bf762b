package server

import (
	"context"
	"encoding/binary"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/wire"
)

// registrationsPage is how many registrations one answer tells of.
const registrationsPage = 1 << 12

// registrations tells of the registrations whose identities are higher than a number.
func (c *caller) registrations(callID uint64, a *call.Ask) error {
	after := a.ID
	return c.s.apart(callID, func(context.Context) error {
		found, more, err := c.host.Registrations(after, registrationsPage)
		if err != nil {
			return err
		}
		body := []byte{0}
		if more {
			body[0] = 1
		}
		for i := range found {
			r := &found[i]
			body = wire.AppendWatching(body, &r.Watching)
			attended := uint64(0)
			if r.Attended {
				attended = 1
			}
			body = binary.AppendUvarint(body, r.Unread<<1|attended)
		}
		return c.s.answer(callID, body)
	})
}
