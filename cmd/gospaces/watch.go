package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/template"
)

// watchLease is how long a registration outlives a watch that has died.
const watchLease = time.Minute

const watchHelp = `Print an event for every matching entry that is written from now on, or for the other events that
--on names, until the command is interrupted:
  written     it became visible by being written
  taken       it was taken, for good
  expired     its lease ran out
  cancelled   its lease was cancelled
  renewed     its lease was renewed
  updated     its fields were changed
  visible     it became visible: written, or put back
  available   it can be taken and could not before
What is of several types at once is one event. Events have dense numbers ("seq") and come in order, each once, also
over a lost connection or a restart of the server.

An event of type "gap" says that events are missing before it, or may be; standard error says so, too. "cause"
tells why: "purged" or "overflow", this watch was so slow that the server no longer has what it missed, which is
"missed" events; "restart", the server was restarted: then a watch for visible or available entries always gets
one, since entries that open transactions had locked are visible again, and are not told one by one. Read the
entries to know which there are.`

func (a *app) watchCommand() *cobra.Command {
	var f selectionFlags
	var limit int
	var on []string
	cmd := &cobra.Command{
		Use:   "watch KIND [JSON]",
		Short: "Print an event for every entry that is written from now on",
		Long:  watchHelp,
		Example: `  gospaces watch job
  gospaces watch job '{"state": "done"}' --where 'priority >= 5'
  gospaces watch job --on taken,expired
  gospaces watch ''                                   entries of every kind`,
		Args: kindOperands(1, 2),
	}
	f.add(cmd)
	cmd.Flags().IntVar(&limit, "max", 0, "end after so many events; 0: never")
	cmd.Flags().StringSliceVar(&on, "on", []string{"written"}, "what to tell of, as a list of types")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		sel, err := f.selection(args)
		if err != nil {
			return err
		}
		types, err := eventTypes(on)
		switch {
		case err != nil:
			return usageError{err}
		case types == 0:
			return usage("--on names no type of event")
		case limit < 0:
			return usage("--max must not be negative")
		}
		return a.withKnownSpace(cmd.Context(), func(sp space.Space) error {
			q, err := a.query(cmd.Context(), sp, sel, true)
			if err != nil {
				return err
			}
			err = a.watch(cmd.Context(), sp, q, types, limit)
			if errors.Is(err, context.Canceled) {
				return nil // a watch ends by being interrupted
			}
			return err
		})
	}
	return cmd
}

// eventTypes returns the set of the types with these names.
func eventTypes(names []string) (space.EventSet, error) {
	var on space.EventSet
	for _, name := range names {
		t, err := space.ParseEventType(name)
		if err != nil {
			return 0, err
		}
		on |= space.EventTypes(t)
	}
	return on, nil
}

// event is what `gospaces watch` prints.
type event struct {
	Type    string          `json:"type"`
	Seq     uint64          `json:"seq"`
	ID      space.LeaseID   `json:"id,omitempty"`
	Kind    string          `json:"kind,omitempty"`
	Version uint32          `json:"version,omitempty"`
	Entry   json.RawMessage `json:"entry,omitempty"`
	Cause   string          `json:"cause,omitempty"`  // of a gap
	Missed  uint64          `json:"missed,omitempty"` // likewise
}

// gapHint explains a gap in words.
func gapHint(e space.Event) string {
	if e.Cause == space.GapRestart {
		return "gospaces: the server was restarted: events may be missing here; read the entries to know which there are"
	}
	return fmt.Sprintf("gospaces: this watch was too slow: %d events are missing here; read the entries to know which "+
		"there are", e.Missed)
}

// watch prints events until ctx ends, or limit of them if it is not 0.
func (a *app) watch(ctx context.Context, sp space.Space, q space.Query, on space.EventSet, limit int) error {
	reg, err := sp.Notify(ctx, q, on, watchLease)
	if err != nil {
		return err
	}
	defer reg.Close()
	keeper := space.KeepAlive(ctx, watchLease, reg.Lease())
	defer keeper.Stop()
	for n := 1; ; n++ {
		e, err := reg.Next(ctx)
		if err != nil {
			return err
		}
		if err := a.printJSON(newEvent(e)); err != nil || n == limit {
			return err
		}
		if e.Type == space.Gap {
			fmt.Fprintln(a.stderr, gapHint(e))
		}
	}
}

func newEvent(e space.Event) event {
	if e.Type == space.Gap {
		return event{Type: e.Type.String(), Seq: e.Seq, Cause: e.Cause.String(), Missed: e.Missed}
	}
	return event{
		Type: e.Type.String(), Seq: e.Seq, ID: e.Entry.ID, Kind: e.Entry.Kind(), Version: e.Entry.Version,
		Entry: template.AppendJSON(nil, e.Entry.Schema, e.Entry.Row),
	}
}
