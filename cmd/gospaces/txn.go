package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/txn"
)

// txnFlag is the flag that names the transaction of a command.
type txnFlag struct{ id txn.ID }

func (f *txnFlag) add(cmd *cobra.Command) {
	cmd.Flags().Var(f, "txn", "do it under this transaction, as txn begin printed it")
}

func (f *txnFlag) given() bool { return !f.id.IsZero() }

// of returns the transaction, which is of the named space unless the flag names another; zero without the flag.
func (f *txnFlag) of(name string) txn.ID {
	if f.id.Number != 0 && f.id.Space == "" {
		return txn.ID{Space: name, Number: f.id.Number}
	}
	return f.id
}

func (f *txnFlag) String() string {
	if f.id.IsZero() {
		return ""
	}
	return f.id.String()
}

func (f *txnFlag) Set(text string) (err error) {
	if f.id, err = parseTxn(text); err != nil {
		return notTxn(text)
	}
	return nil
}

func (*txnFlag) Type() string { return "id" }

// notTxn returns the error for text that is no identity of a transaction.
func notTxn(text string) error {
	return usage("%q is not the id of a transaction: that is SPACE/NUMBER, which txn begin prints", text)
}

// parseTxn parses SPACE/NUMBER, or just NUMBER.
func parseTxn(text string) (txn.ID, error) {
	if n, err := strconv.ParseUint(text, 10, 64); err == nil && n > 0 {
		return txn.ID{Number: n}, nil
	}
	id, err := txn.Parse(text)
	if err == nil {
		err = checkSpace(id.Space)
	}
	return id, err
}

func (a *app) txnCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "txn",
		Short: "Begin, commit and abort transactions",
		Long: `Begin, commit and abort transactions. What is done under one (--txn of write, read, take and count) happens
when it is committed, all of it at once, or never.`,
		Example: `  gospaces txn begin &                    prints the id, and keeps the transaction open
  gospaces take job --txn default/17
  gospaces write result '{"job": 7}' --txn default/17
  gospaces txn commit default/17`,
	})
	cmd.AddCommand(a.txnBeginCommand(),
		a.txnEndCommand("commit", "Make everything happen that was done under a transaction", commit),
		a.txnEndCommand("abort", "Undo everything that was done under a transaction", abort))
	return cmd
}

func (a *app) txnBeginCommand() *cobra.Command {
	lease := time.Minute
	cmd := &cobra.Command{
		Use:   "begin",
		Short: "Begin a transaction and keep it open",
		Long: `Begin a transaction, print its id, and keep it open by renewing its lease until it is committed or aborted.
When this command is interrupted the transaction is aborted.`,
		Args: noOperands,
	}
	cmd.Flags().DurationVar(&lease, "lease", lease, "how long the transaction outlives this command if that is killed")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if lease <= 0 {
			return usage("--lease must be positive")
		}
		return a.withSpace(cmd.Context(), func(sp space.Space) error { return a.holdTxn(cmd.Context(), sp, lease) })
	}
	return cmd
}

// begun is what `gospaces txn begin` prints.
type begun struct {
	Txn   string `json:"txn"`
	Lease string `json:"lease"`
}

// holdTxn begins a transaction and returns when a commit or an abort has ended it, or ctx has ended.
func (a *app) holdTxn(ctx context.Context, sp space.Space, lease time.Duration) error {
	t, err := space.Begin(ctx, sp, space.For(lease))
	if err != nil {
		return err
	}
	granted := patience(t.Lease().Granted())
	if err := a.printJSON(begun{t.ID().String(), granted.String()}); err != nil {
		return err
	}
	keeper := space.KeepAlive(ctx, lease, t.Lease())
	defer keeper.Stop()
	if lost, ok := <-keeper.Lost(); ok && !errors.Is(lost.Err, space.ErrLeaseEnded) {
		return lost.Err
	}
	if ctx.Err() == nil {
		return nil
	}
	err = t.Abort(context.WithoutCancel(ctx)) // closing the client would do it, too
	if errors.Is(err, space.ErrTxnEnded) {
		return nil
	}
	return err
}

// txnEndCommand returns a command that ends a transaction.
func (a *app) txnEndCommand(name, short string, end func(context.Context, *space.Txn) error) *cobra.Command {
	return &cobra.Command{
		Use:     name + " ID",
		Short:   short,
		Example: "  gospaces txn " + name + " default/17",
		Args:    operands(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseTxn(args[0])
			if err != nil {
				return notTxn(args[0])
			}
			return a.withKnownSpace(cmd.Context(), func(sp space.Space) error {
				t := space.TxnOf(sp, id)
				if err := end(cmd.Context(), t); errors.Is(err, space.ErrTxnEnded) {
					return fmt.Errorf("%v: %w: `gospaces outcome %v` tells whether it was committed", t.ID(), err, t.ID())
				} else if err != nil {
					return err
				}
				return nil
			})
		},
	}
}

func commit(ctx context.Context, t *space.Txn) error { return t.Commit(ctx) }

func abort(ctx context.Context, t *space.Txn) error { return t.Abort(ctx) }
