package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"time"

	"github.com/spf13/cobra"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/template"
)

// bulk is the number of entries in one call.
const bulk = 1000

// findFlags are the flags of read and take beside the selection.
type findFlags struct {
	selectionFlags
	wait     patience
	all      bool
	max      int
	ifExists bool
	held     bool
	id       uint64
	txn      txnFlag
}

func (a *app) readCommand() *cobra.Command {
	return a.findCommand(&cobra.Command{
		Use:   "read KIND [JSON]",
		Short: "Print entries and leave them in the space",
		Long: `Print entries and leave them in the space.

Entries that a transaction has taken, for example the jobs that workers are doing, are not among them: --held
prints those instead. Each then has a field "_held" that tells its id, the transaction, the host and process of
the client that holds it, since when, and until when unless it renews its lease.`,
		Example: `  gospaces read job                                   the oldest job, exit code 3 if there is none
  gospaces read job '{"state": "new"}' --wait 5s      waits for one
  gospaces read job --where 'priority >= 5' --all
  gospaces read job --order -priority,id --max 10
  gospaces read job --held --all                      what is being worked on, by whom and since when
  gospaces read '' --all                              entries of every kind
  gospaces read --id 17                               the entry for which write printed that id`,
	}, false)
}

func (a *app) takeCommand() *cobra.Command {
	return a.findCommand(&cobra.Command{
		Use:   "take KIND [JSON]",
		Short: "Print entries and remove them from the space",
		Long: `Print entries and remove them from the space.

An entry is removed once it was printed: when it is on the disk if the output is a file, when it was read if the
output is a pipe (on Linux). So nothing is lost if the disk is full, the reader goes or this command is killed;
entries that were being printed then may be found in the output and, after ten seconds at most, in the space.
With a closed output nothing is taken; > /dev/null discards.

What is done with an entry afterwards the space does not know: if this machine dies before, the entry is lost.
Take it under a transaction (--txn) if that matters: it is back in its place unless the transaction is
committed.`,
		Example: `  gospaces take job '{"state": "new"}' --wait forever
  gospaces take job --where 'owner is null' --where 'state in (new, late)' --order -priority
  gospaces take job --all > jobs.jsonl
  gospaces take job --txn default/17                  removed for good by gospaces txn commit`,
	}, true)
}

func (a *app) findCommand(cmd *cobra.Command, take bool) *cobra.Command {
	var f findFlags
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if cmd.Flags().Changed("id") {
			return kindOperands(0, 2)(cmd, args)
		}
		return kindOperands(1, 2)(cmd, args)
	}
	f.add(cmd)
	f.addOrder(cmd)
	cmd.Flags().Var(&f.wait, "wait", "how long to wait for the first match: 5s, forever")
	cmd.Flags().BoolVar(&f.all, "all", false, "all matches, not only the first; a read prints them in no particular order")
	cmd.Flags().IntVar(&f.max, "max", 1, "at most so many entries")
	cmd.Flags().BoolVar(&f.ifExists, "if-exists", false, "wait only for entries that others hold, not for new ones")
	cmd.Flags().Uint64Var(&f.id, "id", 0, "only the entry with this id; KIND may be left out then")
	if !take {
		cmd.Flags().BoolVar(&f.held, "held", false, "only entries that transactions have taken, with their holders")
	}
	f.txn.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		sel, err := f.selection(args)
		if err != nil {
			return err
		}
		if cmd.Flags().Changed("id") && f.id == 0 {
			return usage("--id is a number from 1 on, which write prints")
		}
		if err := f.check(take, cmd.Flags().Changed("max")); err != nil {
			return err
		}
		return a.withKnownSpace(cmd.Context(), func(sp space.Space) error {
			q, err := a.query(cmd.Context(), sp, sel, f.wait != 0 && !f.ifExists && f.id == 0)
			if errors.Is(err, errNoKind) {
				if err := f.awaitKind(cmd.Context(), sp, sel.kind); err != nil {
					return err
				}
				q, err = a.query(cmd.Context(), sp, sel, false)
			}
			if err != nil {
				return err
			}
			q.IfExists, q.ID, q.Txn, q.Held = f.ifExists, space.LeaseID(f.id), f.txn.of(a.space), f.held
			f.wait.bound(&q)
			if take {
				return a.takeAll(cmd.Context(), sp, q, f.max)
			}
			hidden := 0
			err = a.printEntries(f.find(cmd.Context(), sp, q, &hidden))
			a.tellHidden(hidden)
			return err
		})
	}
	return cmd
}

// awaitKind waits for the first entry of a kind, and reduces f.wait by that time. It returns space.ErrNoMatch if none
// came.
func (f *findFlags) awaitKind(ctx context.Context, sp space.Space, kind string) error {
	began := time.Now()
	q := space.Query{Templates: []*template.Template{{Kind: kind}}}
	f.wait.bound(&q)
	_, err := sp.Read(ctx, q)
	if f.wait != patience(space.Forever) {
		f.wait = max(0, f.wait-patience(time.Since(began)))
	}
	return err
}

func (f *findFlags) check(take, maxGiven bool) error {
	switch {
	case f.wait < 0:
		return usage("--wait must not be negative")
	case f.max < 1:
		return usage("--max must be positive")
	case f.held && (f.wait != 0 || f.ifExists || f.txn.given()):
		return usage("--held tells at once what transactions hold: it excludes --wait, --if-exists and --txn")
	case f.id != 0 && (f.all || maxGiven):
		return usage("--id names one entry: it excludes --all and --max")
	case f.all && maxGiven:
		return usage("--all is every match, --max N at most N: say one of them")
	case !take && len(f.order) > 0 && f.all:
		return usage("read --all has no --order: say --max %d, the most that a read shows in order, instead of --all", bulk)
	case !take && len(f.order) > 0 && f.max > bulk:
		return usage("--max %d: a read shows at most %d entries in an --order", f.max, bulk)
	case f.all:
		f.max = math.MaxInt
	}
	return nil
}

// tellHidden reports the number of matches that were not printed because transactions have locked them.
func (a *app) tellHidden(n int) {
	switch {
	case n < 0:
		fmt.Fprintln(a.stderr, "thousands more are held by transactions")
	case n == 1:
		fmt.Fprintln(a.stderr, "1 more is held by a transaction")
	case n > 1:
		fmt.Fprintf(a.stderr, "%d more are held by transactions\n", n)
	}
}

// find yields up to f.max matches. It ends with space.ErrNoMatch if there is none. If it yields all, it reports how
// many more are locked.
func (f *findFlags) find(ctx context.Context, sp space.Space, q space.Query,
	hidden *int,
) iter.Seq2[space.Entry, error] {
	if f.max <= bulk {
		return readSome(ctx, sp, q, f.max)
	}
	if !f.all || f.held {
		hidden = nil
	}
	return readMany(ctx, sp, q, f.max, hidden)
}

// readSome reads what fits one call.
func readSome(ctx context.Context, sp space.Space, q space.Query, limit int) iter.Seq2[space.Entry, error] {
	return func(yield func(space.Entry, error) bool) {
		q.Max = limit
		entries, err := sp.Read(ctx, q)
		if err != nil {
			yield(space.Entry{}, err)
			return
		}
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// readMany waits for the first match and then streams all, oldest first.
func readMany(ctx context.Context, sp space.Space, q space.Query, limit int,
	hidden *int,
) iter.Seq2[space.Entry, error] {
	return func(yield func(space.Entry, error) bool) {
		first := q
		if q.NoWait && !q.IfExists {
			first.Hidden = hidden
		}
		if _, err := sp.Read(ctx, first); err != nil {
			yield(space.Entry{}, err)
			return
		}
		q.Wait, q.NoWait, q.IfExists, q.Hidden = 0, false, false, hidden
		n := 0
		for e, err := range sp.Contents(ctx, q) {
			if !yield(e, err) {
				return
			}
			if n++; n == limit {
				return
			}
		}
	}
}
