package spacetest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/space/memory"
	"github.com/gospaces/gospaces/spacetest/history"
	"github.com/gospaces/gospaces/txn"
)

// TestBrokenTransactions is TestBrokenSpaces for promises about transactions.
func TestBrokenTransactions(t *testing.T) {
	t.Parallel()
	txns := workload{clients: 4, calls: 150, keys: 1, colors: 2, txns: 40, updates: 7}
	updates := workload{clients: 4, calls: 150, keys: 1, colors: 2, txns: 10, updates: 20}
	for _, b := range []struct {
		name   string
		spoil  func(space.Space) space.Space
		work   workload
		breaks []history.Rule // one of them
	}{
		{
			"commits that abort",
			func(sp space.Space) space.Space { return &abortingCommits{Space: sp} }, txns,
			[]history.Rule{history.Lost},
		},
		{
			"aborts that commit", func(sp space.Space) space.Space { return &committingAborts{Space: sp} }, txns,
			[]history.Rule{history.Uncommitted, history.Lost},
		},
		{
			"writes that do not wait for the commit",
			func(sp space.Space) space.Space { return &earlyWrites{Space: sp} }, txns,
			[]history.Rule{history.Uncommitted},
		},
		{
			"takes that are not undone",
			func(sp space.Space) space.Space { return &finalTakes{Space: sp} }, txns,
			[]history.Rule{history.Lost},
		},
		{
			"reads that lock nothing", func(sp space.Space) space.Space { return &unlockedReads{Space: sp} }, txns,
			[]history.Rule{history.Unlocked, history.NotSerializable},
		},
		{
			"commits that leave out what they should write",
			func(sp space.Space) space.Space { return &halfCommits{Space: sp} }, txns,
			[]history.Rule{history.Lost},
		},
		{
			"updates that look at no version", func(sp space.Space) space.Space { return &blindUpdates{Space: sp} }, updates,
			[]history.Rule{history.LostUpdate, history.OutsideLife},
		},
		{
			"waits for locks that are cut short",
			func(sp space.Space) space.Space { return &hastyIfExists{Space: sp} }, txns,
			[]history.Rule{history.EarlyNone},
		},
	} {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			sp := memory.New(memory.Config{})
			defer sp.Close()
			broken := []space.Space{b.spoil(sp)}
			for runs := 0; ; runs++ { // not every run comes across it
				err := history.Check(b.work.run(t, broken))
				for _, rule := range b.breaks {
					if breaks(err, rule) {
						return
					}
				}
				require.Less(t, runs, 200)
			}
		})
	}
}

type abortingCommits struct {
	space.Space
	every10th
}

func (s *abortingCommits) Commit(ctx context.Context, id txn.ID, entries []space.Draft) ([]space.Grant, error) {
	if s.due() {
		return nil, s.Abort(ctx, id)
	}
	return s.Space.Commit(ctx, id, entries)
}

type committingAborts struct {
	space.Space
	every10th
}

func (s *committingAborts) Abort(ctx context.Context, id txn.ID) error {
	if s.due() {
		_, err := s.Commit(ctx, id, nil)
		return err
	}
	return s.Space.Abort(ctx, id)
}

type earlyWrites struct {
	space.Space
	every10th
}

func (s *earlyWrites) Write(ctx context.Context, under txn.ID, entries []space.Draft) ([]space.Grant, error) {
	if s.due() {
		under = noTxn
	}
	return s.Space.Write(ctx, under, entries)
}

type finalTakes struct {
	space.Space
	every10th
}

func (s *finalTakes) Take(ctx context.Context, q space.Query) ([]space.Entry, error) {
	if s.due() {
		q.Txn = noTxn
	}
	return s.Space.Take(ctx, q)
}

type unlockedReads struct{ space.Space }

func (s *unlockedReads) Read(ctx context.Context, q space.Query) ([]space.Entry, error) {
	if !q.Claim { // which could wait for ever, for what its own transaction holds
		q.Txn = noTxn
	}
	return s.Space.Read(ctx, q)
}

type halfCommits struct {
	space.Space
	every10th
}

func (s *halfCommits) Commit(ctx context.Context, id txn.ID, entries []space.Draft) ([]space.Grant, error) {
	if s.due() && len(entries) > 0 {
		entries = entries[1:]
	}
	return s.Space.Commit(ctx, id, entries)
}

type blindUpdates struct{ space.Space }

func (s *blindUpdates) Update(ctx context.Context, under txn.ID, c space.Change) (uint32, error) {
	c.Version = 0
	time.Sleep(100 * time.Microsecond) // others come in between
	return s.Space.Update(ctx, under, c)
}

type hastyIfExists struct{ space.Space }

func (s *hastyIfExists) Take(ctx context.Context, q space.Query) ([]space.Entry, error) {
	if q.IfExists {
		q.Wait, q.NoWait = 0, true
	}
	return s.Space.Take(ctx, q)
}
