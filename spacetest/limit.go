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
	all := stock(k, oneCall+10)
	got, err := space.ReadAll(k.ctx, k.sp, simple{}, oneCall)
	k.ok(err)
	require.Equal(k, all[:oneCall], got)
	got, err = space.ReadAll(k.ctx, k.sp, simple{}, oneCall+1)
	k.fails(space.ErrTooLarge, err)
	require.Equal(k, all[:oneCall], got)
}

func limitTake(k *kit) {
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

func limitCommit(k *kit) {
	t := filledTxn(k, oneTxn-1)
	k.ok(space.Stage(k.ctx, t, e1))
	k.ok(space.Stage(k.ctx, t, e2))
	k.fails(space.ErrTooLarge, t.Commit(k.ctx))
	require.Zero(k, count(k, simple{}))
}

func limitTakeAll(k *kit) {
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
