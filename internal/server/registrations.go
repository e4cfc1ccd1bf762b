package server

import (
	"context"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/wire"
)

// registrationsPage is the maximum number of registrations in an answer.
const registrationsPage = 1 << 12

// registrations replies with the registrations whose identities are higher than a number.
func (c *caller) registrations(callID uint64, a *call.Ask) error {
	after := a.ID
	return c.s.apart(callID, func(context.Context) error {
		found, more, err := c.host.Registrations(after, registrationsPage)
		if err != nil {
			return err
		}
		return c.s.reply(wire.Registrations, callID,
			&call.Result{More: more, Report: &call.Report{Registrations: found}})
	})
}
