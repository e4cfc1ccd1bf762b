package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/writeback"
)

// deadLetter is what `gospaces deadletters list` prints.
type deadLetter struct {
	Entry     uint64          `json:"entry"`
	Kind      string          `json:"kind"`
	Action    string          `json:"action"`
	SQLState  string          `json:"sqlstate"`
	Reason    string          `json:"reason"`
	RefusedAt time.Time       `json:"refused_at"`
	Attempts  int             `json:"attempts"`
	Expires   *time.Time      `json:"expires,omitempty"`
	Fields    json.RawMessage `json:"fields,omitempty"`
}

const deadLettersHelp = `List, retry or drop what the database has refused to store.

A row that PostgreSQL refuses, because of a constraint or a trigger, stops neither the
space nor the mirror: it becomes a dead letter, kept in the database with the reason. These commands ask the
database itself, so the server need not run.`

func (a *app) deadLettersCommand() *cobra.Command {
	var dsn string
	cmd := a.listLettersCommand(&dsn)
	cmd.Use = "deadletters"
	cmd.Short = "List, retry or drop what the database has refused to store"
	cmd.Long = deadLettersHelp
	cmd.Example = `  export GOSPACES_POSTGRES='postgres://app@localhost/app'
  gospaces deadletters list
  gospaces deadletters retry          # after what was in the way is gone
  gospaces deadletters drop 17 18`
	cmd.Annotations = map[string]string{noAddr: "it asks the database, which --postgres names"}
	cmd.PersistentFlags().StringVar(&dsn, "postgres", "", "connection string of the PostgreSQL database")
	fromEnvironment(cmd.PersistentFlags())
	cmd.AddCommand(a.listLettersCommand(&dsn), a.retryLettersCommand(&dsn), a.dropLettersCommand(&dsn))
	return cmd
}

// withLetters calls do with the dead letters of the space that the global flags name.
func (a *app) withLetters(ctx context.Context, dsn string, do func(*writeback.DeadLetters) error) error {
	if dsn == "" {
		return usage("--postgres is missing: it names the database, as $GOSPACES_POSTGRES does")
	}
	letters, err := writeback.OpenDeadLetters(ctx, dsn, a.space)
	if err != nil {
		return a.startError(err)
	}
	defer letters.Close()
	return do(letters)
}

func (a *app) listLettersCommand(dsn *string) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "Print the dead letters of the space, a JSON line each",
		Long: `Print the dead letters of the space, a JSON line each, by entry.

The action is what the database has refused: to "store" the row of an entry, which is missing; to "replace" the
row of an entry that has changed; to "remove" the row of an entry that has left; to "renew" the expiry of a row.`,
		Args: noOperands,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withLetters(cmd.Context(), *dsn, func(letters *writeback.DeadLetters) error {
				for l, err := range letters.All() {
					if err != nil {
						return err
					}
					if err := a.printJSON(newDeadLetter(l)); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
}

func newDeadLetter(l writeback.DeadLetter) deadLetter {
	d := deadLetter{
		Entry: l.Entry, Kind: l.Kind, Action: l.Action, SQLState: l.SQLState, Reason: l.Reason,
		RefusedAt: l.RefusedAt.UTC(), Attempts: l.Attempts, Fields: l.Fields,
	}
	if !l.Expires.IsZero() {
		at := l.Expires.UTC()
		d.Expires = &at
	}
	return d
}

func (a *app) retryLettersCommand(dsn *string) *cobra.Command {
	return &cobra.Command{
		Use:   "retry [ENTRY...]",
		Short: "Ask the database again to do what it has refused, for some entries or all",
		Long: `Ask the database again to do what it has refused, for the given entries or for all dead letters.

Those that it takes now are resolved: the tables equal the space in that respect. Those that it refuses again
stay, with the new reason, and the exit code is 1.`,
		Args: operands(0, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			entries, err := entryIDs(args)
			if err != nil {
				return err
			}
			return a.withLetters(cmd.Context(), *dsn, func(letters *writeback.DeadLetters) error {
				resolved, refused, err := letters.Retry(entries...)
				if err != nil {
					return err
				}
				if resolved+refused == 0 && len(entries) > 0 {
					return space.ErrNoMatch
				}
				if err := a.printJSON(map[string]int{"resolved": resolved, "refused": refused}); err != nil || refused == 0 {
					return err
				}
				return fmt.Errorf("the database has refused %d again: `gospaces deadletters list` tells why", refused)
			})
		},
	}
}

func (a *app) dropLettersCommand(dsn *string) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "drop ENTRY...",
		Short: "Print dead letters and forget them: the tables go on without what they stand for",
		Long: `Print dead letters and forget them: the tables go on without what they stand for.

A letter is forgotten once it was printed, as an entry is removed by take: what could not be printed is kept.`,
		Args: operands(0, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if all == (len(args) > 0) {
				return usage("name the entries to drop, or say --all")
			}
			if err := a.canDeliver(); err != nil {
				return err
			}
			entries, err := entryIDs(args)
			if err != nil {
				return err
			}
			return a.withLetters(cmd.Context(), *dsn, func(letters *writeback.DeadLetters) error {
				dropped, err := letters.Drop(func(batch []writeback.DeadLetter) error {
					return a.deliverLetters(cmd.Context(),
						batch)
				}, entries...)
				if err == nil && dropped == 0 && !all {
					return space.ErrNoMatch
				}
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "drop all dead letters of the space")
	return cmd
}

func (a *app) deliverLetters(ctx context.Context, letters []writeback.DeadLetter) error {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	for _, l := range letters {
		if err := enc.Encode(newDeadLetter(l)); err != nil {
			return err
		}
	}
	return a.deliver(ctx, out.Bytes())
}

func entryIDs(args []string) ([]uint64, error) {
	var ids []uint64
	for _, arg := range args {
		id, err := strconv.ParseUint(arg, 10, 64)
		if err != nil {
			return nil, usage("%q is not the id of an entry, which is a number", arg)
		}
		ids = append(ids, id)
	}
	return ids, nil
}
