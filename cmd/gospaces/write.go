package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

func (a *app) writeCommand() *cobra.Command {
	w := writer{lease: space.Forever}
	var under txnFlag
	var atomic bool
	cmd := &cobra.Command{
		Use:   "write KIND [JSON…]",
		Short: "Write entries, from the command line or from standard input",
		Long: `Write entries of a kind: the JSON objects given, or else those on standard input. Prints the id and the granted
lease of each entry.

The objects of the command line are written all or none. Those of standard input are written as they come, up to
a thousand at a time, all or none of each such part: after an error the parts before it are written, and the
message says how many entries. With --atomic they are written all or none when the input ends. Such a write, and a
transaction, has at most 4,096 entries (--max-txn-entries of the server) and 8 MiB.

The first entry of a kind decides the types of its fields; later ones may add fields. A field that is new to a
kind is named on standard error, and so is a new kind or space whose name is like that of another. With --strict
they are refused.`,
		Example: `  gospaces write job '{"id": 7, "state": "new"}' --lease 10m
  gospaces write job < jobs.jsonl
  gospaces write job --atomic --strict < jobs.jsonl
  gospaces write reminder '{"text": "tea"}' --delay 3m`,
		Args: operands(1, -1),
	}
	cmd.Flags().Var((*patience)(&w.lease), "lease", "how long the entries live: 10m, forever")
	cmd.Flags().DurationVar(&w.delay, "delay", 0, "how long the entries are invisible; their lease begins then")
	cmd.Flags().BoolVar(&atomic, "atomic", false, "write all that standard input has, or nothing")
	cmd.Flags().BoolVar(&w.strict, "strict", false, "refuse a space, a kind or a field that is not there yet")
	under.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if w.lease < 0 {
			return usage("--lease must not be negative")
		}
		if w.delay < 0 {
			return usage("--delay must not be negative")
		}
		return a.withClient(cmd.Context(), func(c *client.Client) error {
			w.app, w.space, w.kind, w.txn = a, c, args[0], under.of(a.space)
			if err := w.checkSpace(cmd.Context(), c); err != nil {
				return err
			}
			if len(args) > 1 {
				return w.writeWhole(cmd.Context(), strings.NewReader(strings.Join(args[1:], "\n")))
			}
			if atomic {
				return w.writeWhole(cmd.Context(), a.stdin)
			}
			return w.writeStream(cmd.Context(), a.stdin)
		})
	}
	return cmd
}

// writer writes JSON objects as entries of one kind.
type writer struct {
	*app
	space  space.Space
	kind   string
	lease  time.Duration
	delay  time.Duration
	txn    txn.ID
	strict bool // new names are refused

	schema *template.Schema // of the space; nil until it is known
	mine   bool             // the kind is new with this command
	total  int              // number of entries written
}

// written is what `gospaces write` prints for an entry.
type written struct {
	ID    space.LeaseID `json:"id"`
	Lease string        `json:"lease"`
}

// writeWhole writes all objects of the input or none.
func (w *writer) writeWhole(ctx context.Context, input io.Reader) error {
	var all []json.RawMessage
	for dec := json.NewDecoder(input); ctx.Err() == nil; {
		var o json.RawMessage
		err := dec.Decode(&o)
		if errors.Is(err, io.EOF) {
			w.tellEmpty(len(all))
			return w.write(ctx, all)
		}
		if err != nil {
			return badJSON(len(all)+1, err)
		}
		all = append(all, o)
	}
	return ctx.Err()
}

// writeStream writes the objects of the input: as many at a time as have come, so that one that comes alone is written
// at once. At an error the objects before it are written.
func (w *writer) writeStream(ctx context.Context, input io.Reader) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	objects := make(chan object, bulk)
	go decode(ctx, input, objects)
	for {
		batch, err := gather(ctx, objects)
		if failed := w.write(ctx, batch); failed != nil {
			return w.stopped(failed)
		}
		switch {
		case errors.Is(err, io.EOF):
			w.tellEmpty(w.total)
			return nil
		case err != nil:
			return w.stopped(badJSON(w.total+1, err))
		}
	}
}

// tellEmpty says that the input had no entries.
func (w *writer) tellEmpty(entries int) {
	if entries == 0 {
		fmt.Fprintln(w.stderr, "gospaces: standard input has no JSON objects: nothing is written")
	}
}

// stopped adds the number of entries written to the error that ends a stream.
func (w *writer) stopped(err error) error {
	if w.total == 0 {
		return fmt.Errorf("%w; nothing was written", err)
	}
	return fmt.Errorf("%w; the first %d are written", err, w.total)
}

// badJSON returns the error for input that is not JSON where an entry, given by its number, should be.
func badJSON(number int, err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return usage("entry %d: the JSON ends early", number)
	}
	return usage("entry %d: not JSON: %w", number, err)
}

// write writes all objects or none, and prints their leases.
func (w *writer) write(ctx context.Context, objects []json.RawMessage) error {
	if len(objects) == 0 {
		return nil
	}
	if err := w.register(ctx, objects); err != nil {
		return err
	}
	drafts := make([]space.Draft, len(objects))
	for i, o := range objects {
		row, err := template.ParseJSON(w.schema, o)
		if err != nil {
			return usage("entry %d: %w", w.total+i+1, err)
		}
		drafts[i] = space.Draft{Kind: w.kind, Row: row, Lease: w.lease, Delay: w.delay}
	}
	grants, err := w.space.Write(ctx, w.txn, drafts)
	if err != nil {
		return fmt.Errorf("%s: %w", namely(w.total+1, w.total+len(drafts)), err)
	}
	w.total += len(grants)
	for _, g := range grants {
		lease := patience(g.Granted)
		if err := w.printJSON(written{g.ID, lease.String()}); err != nil {
			return err
		}
	}
	return nil
}

// namely names the entries of a batch.
func namely(first, last int) string {
	if first == last {
		return fmt.Sprintf("entry %d", first)
	}
	return fmt.Sprintf("entries %d to %d, which are written all or none", first, last)
}

// object is a JSON object of the input, or the error that ends the input.
type object struct {
	json json.RawMessage
	err  error
}

// decode sends the objects of input and then an error, which is io.EOF at the end of the input. It ends early with ctx,
// but a read from a terminal or a pipe cannot be interrupted; one that hangs ends with the process.
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

// batchBytes is the size of a full batch: half of what a server accepts in one call by default.
const batchBytes = 4 << 20

// gather waits for an object and returns it with those that have arrived meanwhile. It may return objects and an error.
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

// register registers what the objects add to the schema of the kind.
func (w *writer) register(ctx context.Context, objects []json.RawMessage) (err error) {
	if w.schema == nil {
		if w.schema, err = w.known(ctx); err != nil {
			return err
		}
	}
	wanted := w.schema
	for i, o := range objects {
		if wanted, err = template.InferSchema(w.kind, wanted, o); err != nil {
			return usage("entry %d: %w", w.total+i+1, err)
		}
	}
	if wanted == w.schema {
		return nil
	}
	for i, o := range objects { // what cannot be written makes no schema
		if _, err := template.ParseJSON(wanted, o); err != nil {
			return usage("entry %d: %w", w.total+i+1, err)
		}
	}
	if err := w.checkFields(w.schema, wanted); err != nil {
		return err
	}
	w.schema, err = w.space.Register(ctx, wanted)
	return err
}
