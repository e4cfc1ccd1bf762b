package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/space"
)

// listedRegistration is what `gospaces registrations list` prints.
type listedRegistration struct {
	ID       space.LeaseID `json:"id"`
	Kinds    []string      `json:"kinds"`
	On       []string      `json:"on"`
	Lease    string        `json:"lease"`
	Events   uint64        `json:"events"`
	Unread   uint64        `json:"unread"`
	Attended bool          `json:"attended"`
}

func newListedRegistration(r client.RegistrationInfo) listedRegistration {
	left := patience(r.Lease)
	if r.Lease != space.Forever {
		left = patience(r.Lease.Round(time.Second))
	}
	l := listedRegistration{
		ID: r.ID, Kinds: r.Kinds, Lease: left.String(), Events: r.Events, Unread: r.Unread, Attended: r.Attended,
	}
	for t := space.Written; t <= space.Available; t++ {
		if r.On.Has(t) {
			l.On = append(l.On, t.String())
		}
	}
	return l
}

func (a *app) registrationsCommand() *cobra.Command {
	cmd := a.listRegistrationsCommand("registrations")
	cmd.Short = "Print the registrations for events of a space, or drop some"
	cmd.AddCommand(a.listRegistrationsCommand("list"), a.dropRegistrationsCommand())
	return cmd
}

func (a *app) listRegistrationsCommand(name string) *cobra.Command {
	var l listing
	cmd := &cobra.Command{
		Use:   name,
		Short: "Print the registrations of all clients: for what they are, what is left of their leases, whether one listens",
		Args:  noOperands,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withClient(cmd.Context(), func(c *client.Client) error {
				if _, err := a.hintSpace(cmd.Context(), c, a.space); err != nil {
					return err
				}
				found, err := c.Registrations(cmd.Context())
				if err != nil {
					return err
				}
				var listed []listedRegistration
				for _, r := range found {
					listed = append(listed, newListedRegistration(r))
				}
				return printRows(a, &l, "ID KINDS ON LEASE EVENTS UNREAD ATTENDED", listed, listedRegistration.cells)
			})
		},
	}
	l.add(cmd)
	return cmd
}

// cells returns r as a row of a table.
func (r listedRegistration) cells() []any {
	return []any{
		r.ID, strings.Join(r.Kinds, ","), strings.Join(r.On, ","), r.Lease, r.Events, r.Unread, yesNo(r.Attended),
	}
}

func (a *app) dropRegistrationsCommand() *cobra.Command {
	var unattended bool
	cmd := &cobra.Command{
		Use:   "drop [ID...]",
		Short: "End registrations: their listeners hear of it, and get no more events",
		Example: "  gospaces registrations drop 17 18\n" +
			"  gospaces registrations drop --unattended            all to which no client listens now",
		Args: operands(0, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if unattended == (len(args) > 0) {
				return usage("name the registrations to drop, or say --unattended")
			}
			ids, err := parseIDs(args)
			if err != nil {
				return err
			}
			return a.withClient(cmd.Context(),
				func(c *client.Client) error { return a.dropRegistrations(cmd.Context(), c, ids) })
		},
	}
	cmd.Flags().BoolVar(&unattended, "unattended", false,
		"drop those to which no client listens now; one may come back to them")
	return cmd
}

// dropRegistrations ends the registrations with the given identities, or all that are unattended if none are given, and
// prints their number.
func (a *app) dropRegistrations(ctx context.Context, c *client.Client, ids []space.LeaseID) error {
	found, err := c.Registrations(ctx)
	if err != nil {
		return err
	}
	var drop []space.LeaseID
	for _, r := range found {
		if slices.Contains(ids, r.ID) || len(ids) == 0 && !r.Attended {
			drop = append(drop, r.ID)
		}
	}
	for _, id := range ids {
		if !slices.Contains(drop, id) {
			return fmt.Errorf("there is no registration %d in space %q; nothing was dropped", id, a.space)
		}
	}
	for part := range slices.Chunk(drop, cancelAtOnce) {
		if err := c.Cancel(ctx, part...); err != nil {
			return err
		}
	}
	return a.printJSON(struct {
		Dropped int `json:"dropped"`
	}{len(drop)})
}

// cancelAtOnce is the number of leases that one call ends.
const cancelAtOnce = 1000
