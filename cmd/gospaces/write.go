package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

func (a *app) writeCommand() *cobra.Command {
	lease := patience(space.Forever)
	var delay time.Duration
	var under txnFlag
	cmd := &cobra.Command{
		Use:   "write KIND [JSON…]",
		Short: "Write entries, from the command line or from standard input",
		Long: `Write entries of a kind: the JSON objects given, or else those on standard input.
The first entry of a kind decides the types of its fields; later ones may add fields.
Prints the id and the granted lease of each entry.`,
		Example: `  gospaces write job '{"id": 7, "state": "new"}' --lease 10m
  gospaces write job < jobs.jsonl
  gospaces write reminder '{"text": "tea"}' --delay 3m`,
		Args: cobra.MinimumNArgs(1),
	}
	cmd.Flags().Var(&lease, "lease", "how long the entries live: 10m, forever")
	cmd.Flags().DurationVar(&delay, "delay", 0, "how long nobody sees the entries; their lease begins then")
	under.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if lease < 0 {
			return usage("--lease must not be negative")
		}
		if delay < 0 {
			return usage("--delay must not be negative")
		}
		if slices.ContainsFunc(args[1:], isBlank) {
			return usage("an entry is empty; it is a JSON object like {\"id\": 7}, and {} has no fields")
		}
		input := a.stdin
		if len(args) > 1 {
			input = strings.NewReader(strings.Join(args[1:], "\n"))
		}
		return a.withSpace(cmd.Context(), func(sp space.Space) error {
			w := writer{space: sp, kind: args[0], lease: time.Duration(lease), delay: delay, txn: under.of(a.space)}
			return w.writeAll(cmd.Context(), input, a.printJSON)
		})
	}
	return cmd
}

// writer writes JSON objects as entries of one kind.
type writer struct {
	space  space.Space
	kind   string
	lease  time.Duration
	delay  time.Duration
	txn    txn.ID
	schema *template.Schema // that the space has; nil until it is known
}

// written is what `gospaces write` prints for an entry.
type written struct {
	ID    space.LeaseID `json:"id"`
	Lease string        `json:"lease"`
}

// writeAll writes the objects of a stream: as many at a time as have come, so that one that comes alone is written at
// once. At an error the objects before it are written, and tell has been told of them.
func (w *writer) writeAll(ctx context.Context, input io.Reader, tell func(any) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	objects := make(chan object, bulk)
	go decode(ctx, input, objects)
	total := 0
	for {
		batch, err := gather(ctx, objects)
		if len(batch) > 0 {
			grants, err := w.write(ctx, batch)
			if err != nil {
				return fmt.Errorf("%s: %w", namely(total+1, total+len(batch)), err)
			}
			total += len(batch)
			for _, g := range grants {
				lease := patience(g.Granted)
				if err := tell(written{g.ID, lease.String()}); err != nil {
					return err
				}
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("entry %d: %w", total+1, err)
		}
	}
}

// namely names the entries of a batch, which succeeds or fails as a whole.
func namely(first, last int) string {
	if first == last {
		return fmt.Sprintf("entry %d", first)
	}
	return fmt.Sprintf("entries %d to %d, which are written all or none", first, last)
}

func isBlank(text string) bool { return strings.TrimSpace(text) == "" }

// object is a JSON object of the input, or the error that ends the input.
type object struct {
	json json.RawMessage
	err  error
}

// decode sends the objects of input, and at last an error: io.EOF if all is well. It ends early with ctx, but a read
// from a terminal or a pipe cannot be interrupted; one that hangs ends with the process.
func decode(ctx context.Context, input io.Reader, objects chan<- object) {
	dec := json.NewDecoder(input)
	for {
		var o object
		o.err = dec.Decode(&o.json)
		select {
		case objects <- o:
		case <-ctx.Done():
			return
		}
		if o.err != nil {
			return
		}
	}
}

// batchBytes is the size at which a batch is large enough, half of what a server accepts in one call by default.
const batchBytes = 4 << 20

// gather waits for an object and returns it with those that have come meanwhile. It may return objects and an error.
func gather(ctx context.Context, objects <-chan object) (batch []json.RawMessage, err error) {
	for size := 0; size < batchBytes && len(batch) < bulk; {
		var o object
		if len(batch) == 0 {
			select {
			case o = <-objects:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		} else {
			select {
			case o = <-objects:
			default:
				return batch, nil
			}
		}
		if o.err != nil {
			return batch, o.err
		}
		batch = append(batch, o.json)
		size += len(o.json)
	}
	return batch, nil
}

// write writes all objects or none.
func (w *writer) write(ctx context.Context, objects []json.RawMessage) ([]space.Grant, error) {
	if err := w.register(ctx, objects); err != nil {
		return nil, err
	}
	drafts := make([]space.Draft, len(objects))
	for i, o := range objects {
		row, err := template.ParseJSON(w.schema, o)
		if err != nil {
			return nil, err
		}
		drafts[i] = space.Draft{Kind: w.kind, Row: row, Lease: w.lease, Delay: w.delay}
	}
	return w.space.Write(ctx, w.txn, drafts)
}

// register makes known what the objects add to the schema that the space has.
func (w *writer) register(ctx context.Context, objects []json.RawMessage) (err error) {
	known := w.schema
	if known == nil {
		if known, err = schemaOf(ctx, w.space, w.kind); err != nil {
			return err
		}
	}
	wanted := known
	for _, o := range objects {
		if wanted, err = template.InferSchema(w.kind, wanted, o); err != nil {
			return err
		}
	}
	w.schema = known
	if wanted != known {
		w.schema, err = w.space.Register(ctx, wanted)
	}
	return err
}
