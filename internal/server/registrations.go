package server

import (
	"context"
	"encoding/binary"

	"github.com/gospaces/gospaces/internal/wire"
)

// registrationsPage is how many registrations one answer tells of.
const registrationsPage = 1 << 12

// handleRegistrations tells of the registrations of a space whose identities are higher than a number.
func (s *session) handleRegistrations(c *caller, call uint64, d wire.Decoder) error {
	after := d.Uvarint()
	if err := d.Err(); err != nil {
		return s.refuse(call, err)
	}
	return s.apart(call, func(context.Context) error {
		found, more, err := c.p.Registrations(after, registrationsPage)
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
		return s.answer(call, body)
	})
}
