package spacetest

import (
	"errors"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
)

func limitCases() cases {
	return cases{
		{"a bulk read is complete or says that it is not", limitRead},                       // semantics 8.2
		{"a bulk take takes all that it is asked for", limitTake},                           // semantics 8.2
		{"a bulk take of large entries takes all that it is asked for", limitLarge},         // semantics 8.2
		{"a write of too many entries stores none", limitWrite},                             // semantics 8.1
		{"a transaction refuses what it has no room for, and holds what it held", limitTxn}, // semantics 5.12
		{"what a transaction has locked already it may use when it is full", limitAgain},    // semantics 5.12
		{"a call that waits has its place in its transaction", limitWait},                   // semantics 5.12
		{"entries to be written along with a commit count", limitCommit},                    // semantics 5.12
		{"a query has as many templates and operands as it may", limitQuery},                // semantics 1.5
		{"a call for as many leases as it may have is served", limitLeases},                 // semantics 6.5
		{"a bulk take under a transaction tells what it has taken", limitTakeAll},           // semantics 5.12, 8.2
	}
}

const (
	oneCall = 4096 // entries that one call returns
	oneTxn  = 4096 // entries that a transaction may hold, and a write have
)

// numbered returns n entries with the numbers from first on.
func numbered(first, n int) []simple {
	vs := make([]simple, n)
	for i := range vs {
		vs[i] = simple{"n", first + i}
	}
	return vs
}

// stock writes n entries, numbered from 0, and returns them.
func stock(k *kit, n int) []simple {
	k.Helper()
	all := numbered(0, n)
	for first := 0; first < n; first += oneTxn {
		_, err := space.WriteAll(k.ctx, k.sp, all[first:min(n, first+oneTxn)])
		k.ok(err)
	}
	return all
}

// filledTxn begins a transaction that has written n entries.
func filledTxn(k *kit, n int) *space.Txn {
	k.Helper()
	t := begin(k)
	_, err := space.WriteAll(k.ctx, k.sp, numbered(0, n), space.In(t))
	k.ok(err)
	return t
}

func limitRead(k *kit) {
	k.needOnePartition()
	all := stock(k, oneCall+10)
	got, err := space.ReadAll(k.ctx, k.sp, simple{}, oneCall)
	k.ok(err)
	require.Equal(k, all[:oneCall], got)
	got, err = space.ReadAll(k.ctx, k.sp, simple{}, oneCall+1)
	k.fails(space.ErrTooLarge, err)
	require.Equal(k, all[:oneCall], got)
}

func limitTake(k *kit) {
	k.needOnePartition()
	all := stock(k, 3*oneCall)
	got, err := space.TakeAll(k.ctx, k.sp, simple{}, oneCall+10)
	k.ok(err)
	require.Equal(k, all[:oneCall+10], got)
	got, err = space.TakeAll(k.ctx, k.sp, simple{}, 2*len(all), space.NoWait())
	k.ok(err)
	require.Equal(k, all[oneCall+10:], got)
	_, err = space.TakeAll(k.ctx, k.sp, simple{}, 2*len(all), space.NoWait())
	k.fails(space.ErrNoMatch, err)
}

func limitLarge(k *kit) {
	k.needOnePartition()
	const n, size = 13, 1000 << 10
	for i := range n {
		write(k, simple{strings.Repeat("x", size), i})
	}
	got, err := space.ReadAll(k.ctx, k.sp, simple{}, n)
	k.fails(space.ErrTooLarge, err)
	require.NotEmpty(k, got)
	require.Less(k, len(got), n)
	got, err = space.TakeAll(k.ctx, k.sp, simple{}, 2*n)
	k.ok(err)
	require.Len(k, got, n)
	for i := range got {
		require.Equal(k, i, got[i].ID)
	}
}

func limitWrite(k *kit) {
	_, err := space.WriteAll(k.ctx, k.sp, numbered(0, oneTxn+1))
	k.fails(space.ErrTooLarge, err)
	require.Zero(k, count(k, simple{}))
	stock(k, oneTxn)
	require.Equal(k, oneTxn, count(k, simple{}))
}

func limitTxn(k *kit) {
	k.needOnePartition()
	write(k, e1)
	id := write(k, e2).ID()
	t := filledTxn(k, oneTxn-1)
	_, err := space.WriteAll(k.ctx, k.sp, []simple{e3, e3}, space.In(t))
	k.fails(space.ErrTooLarge, err)
	k.ok(errOf(space.Take(k.ctx, k.sp, e1, space.In(t))))
	for name, call := range usesOf(k, t, id) {
		switch name {
		case "write", "writeAll", "readID", "takeID", "replace":
			k.fails(space.ErrTooLarge, call())
		}
	}
	k.fails(space.ErrTooLarge, errOf(space.Take(k.ctx, k.sp, e2, space.In(t))))
	k.fails(space.ErrTooLarge, errOf(space.Read(k.ctx, k.sp, e2, space.In(t))))
	require.Equal(k, e2, read(k, e2), "nothing has locked it")
	commit(k, t)
	require.Equal(k, oneTxn, count(k, simple{}))
}

func limitAgain(k *kit) {
	write(k, e1)
	t := filledTxn(k, oneTxn-1)
	k.ok(errOf(space.Read(k.ctx, k.sp, e1, space.In(t))))
	k.ok(errOf(space.Read(k.ctx, k.sp, e1, space.In(t))))
	v := simple{"n", 7}
	k.ok(errOf(space.Read(k.ctx, k.sp, v, space.In(t))))
	k.ok(errOf(space.Take(k.ctx, k.sp, v, space.In(t), space.NoWait())))
	k.ok(t.Rollback(k.ctx))
	_, err := space.WriteAll(k.ctx, k.sp, numbered(0, oneTxn), space.In(t))
	k.ok(err)
	k.ok(t.Abort(k.ctx))
	require.Equal(k, 1, count(k, simple{}))
}

func limitWait(k *kit) {
	k.needOnePartition()
	t := filledTxn(k, oneTxn-1)
	got := make(chan error, 1)
	go func() {
		err := space.ErrTooLarge
		for errors.Is(err, space.ErrTooLarge) { // the calls below may have the place
			_, err = space.Take(k.ctx, k.sp, e1, space.In(t))
		}
		got <- err
	}()
	for errors.Is(errOf(space.Take(k.ctx, k.sp, e2, space.In(t), space.Wait(time.Millisecond))), space.ErrNoMatch) {
		continue // until the other call waits
	}
	write(k, e1)
	k.ok(<-got)
	k.fails(space.ErrTooLarge, errOf(space.Write(k.ctx, k.sp, e2, space.In(t))))
	commit(k, t)
	require.Equal(k, oneTxn-1, count(k, simple{}))
}

func limitQuery(k *kit) {
	const templates, operands = 1024, 16_384
	write(k, e1)
	others := func(n int) (or []space.MatchOption) {
		for i := range n {
			or = append(or, space.Or(simple{"other", i + 1}))
		}
		return or
	}
	unlike := func(n int) (where []space.MatchOption) {
		for i := range n {
			where = append(where, space.Where("id", space.Ne(-i-1)))
		}
		return where
	}
	oneOf := func(n int) []space.MatchOption {
		ids := make([]any, n)
		for i := range ids {
			ids[i] = i
		}
		return []space.MatchOption{space.Where("id", space.OneOf(ids...))}
	}
	large := strings.Repeat("x", 9<<20)
	for name, c := range map[string]struct {
		served, refused []space.MatchOption
		err             error
		limit           string
	}{
		"templates":  {others(templates - 1), others(templates), space.ErrInvalidArgument, "1024"},
		"conditions": {unlike(operands), unlike(operands + 1), space.ErrInvalidArgument, "16384"},
		"operands":   {oneOf(operands), oneOf(operands + 1), space.ErrInvalidArgument, "16384"},
		"bytes": {
			nil, []space.MatchOption{space.Where("name", space.OneOf("A", large))}, space.ErrTooLarge, "8388608",
		},
	} {
		for call, do := range k.asks(c.served) {
			require.NoError(k, do(), "%s: %s", name, call)
		}
		for call, do := range k.asks(c.refused) {
			err := do()
			require.ErrorIs(k, err, c.err, "%s: %s", name, call)
			require.ErrorContains(k, err, c.limit, "%s: %s", name, call)
		}
	}
	require.Equal(k, e1, read(k, simple{}))
}

// asks returns calls that find simple entries, and leave them.
func (k *kit) asks(match []space.MatchOption) map[string]func() error {
	options := func(more ...space.MatchOption) []space.MatchOption { return append(more, match...) }
	return map[string]func() error{
		"read": func() error {
			return errOf(space.Read(k.ctx, k.sp, simple{}, append(as[space.ReadOption](options()), space.NoWait())...))
		},
		"count": func() error {
			return errOf(space.Count(k.ctx, k.sp, simple{}, as[space.CountOption](options())...))
		},
		"contents": func() error {
			for _, err := range space.Contents(k.ctx, k.sp, simple{}, as[space.ContentsOption](options())...) {
				if err != nil {
					return err
				}
			}
			return nil
		},
		"notify": func() error {
			r, err := space.Notify(k.ctx, k.sp, simple{}, as[space.NotifyOption](options())...)
			if err == nil {
				err = r.Close()
			}
			return err
		},
		"take": func() error {
			t := begin(k)
			defer func() { k.ok(t.Abort(k.ctx)) }()
			return errOf(space.Take(k.ctx, k.sp, simple{}, append(as[space.TakeOption](options()), space.NoWait(),
				space.In(t))...))
		},
	}
}

func limitLeases(k *kit) {
	const most = 65_536
	l := write(k, e1)
	t := begin(k)
	k.ok(errOf(space.Take(k.ctx, k.sp, e1, space.In(t))))
	ids := make([]space.LeaseID, most+1)
	for i := range ids {
		ids[i] = l.ID()
	}
	for name, call := range map[string]func(ids ...space.LeaseID) error{
		"rollback": func(ids ...space.LeaseID) error { return t.Rollback(k.ctx, ids...) },
		"renew": func(ids ...space.LeaseID) error {
			_, err := k.sp.Renew(k.ctx, time.Hour, ids...)
			return err
		},
	} {
		require.NoError(k, call(ids[:most]...), name)
		err := call(ids...)
		require.ErrorIs(k, err, space.ErrTooLarge, name)
		require.ErrorContains(k, err, "65536", name)
	}
	k.fails(space.ErrTooLarge, k.sp.Cancel(k.ctx, ids...))
	k.ok(t.Abort(k.ctx))
	require.Equal(k, e1, read(k, e1))
}

func limitCommit(k *kit) {
	t := filledTxn(k, oneTxn-1)
	k.ok(space.Stage(k.ctx, t, e1))
	k.ok(space.Stage(k.ctx, t, e2))
	k.fails(space.ErrTooLarge, t.Commit(k.ctx))
	require.Zero(k, count(k, simple{}))
}

func limitTakeAll(k *kit) {
	k.needOnePartition()
	all := stock(k, oneTxn+1)
	t := begin(k)
	got, err := space.TakeAll(k.ctx, k.sp, simple{}, len(all), space.In(t))
	k.fails(space.ErrTooLarge, err)
	require.Equal(k, all[:oneTxn], got)
	commit(k, t)
	require.Equal(k, 1, count(k, simple{}))
}

// errOf returns the error of a call.
func errOf[T any](_ T, err error) error { return err }
