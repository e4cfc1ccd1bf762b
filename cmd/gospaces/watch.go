package main

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/template"
)

// watchLease is how long a registration outlives a watch that died.
const watchLease = time.Minute

func (a *app) watchCommand() *cobra.Command {
	var f selectionFlags
	var limit int
	cmd := &cobra.Command{
		Use:   "watch KIND [JSON]",
		Short: "Print an event for every entry that is written from now on",
		Long: `Print an event for every matching entry that is written from now on, until it is interrupted.
An event of type "gap" says how many events were not kept for this listener.`,
		Example: `  gospaces watch job
  gospaces watch job '{"state": "done"}' --where 'priority >= 5'`,
		Args: cobra.RangeArgs(1, 2),
	}
	f.add(cmd)
	cmd.Flags().IntVar(&limit, "max", 0, "end after so many events; 0: never")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		sel, err := f.selection(args)
		if err != nil {
			return err
		}
		return a.withSpace(cmd.Context(), func(sp space.Space) error {
			q, err := sel.query(cmd.Context(), sp, true)
			if err != nil {
				return err
			}
			err = a.watch(cmd.Context(), sp, q, limit)
			if errors.Is(err, context.Canceled) {
				return nil // being interrupted is how a watch ends
			}
			return err
		})
	}
	return cmd
}

// event is what `gospaces watch` prints.
type event struct {
	Type   string          `json:"type"`
	Seq    uint64          `json:"seq"`
	Kind   string          `json:"kind,omitempty"`
	Entry  json.RawMessage `json:"entry,omitempty"`
	Missed uint64          `json:"missed,omitempty"`
}

// watch prints events until ctx ends, or limit of them if it is not 0.
func (a *app) watch(ctx context.Context, sp space.Space, q space.Query, limit int) error {
	reg, err := sp.Notify(ctx, q, 0, watchLease)
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
	}
}

func newEvent(e space.Event) event {
	if e.Type == space.Gap {
		return event{Type: "gap", Seq: e.Seq, Missed: e.Missed}
	}
	return event{Type: "written", Seq: e.Seq, Kind: e.Entry.Kind(), Entry: template.AppendJSON(nil, e.Entry.Schema, e.Entry.Row)}
}
