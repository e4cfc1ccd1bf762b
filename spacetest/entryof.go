package spacetest

import (
	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
)

func entryOfCases() cases {
	return cases{
		{"an entry tells its identity and its version", entryOfVersion},
		{"bulk reads and iterations tell them for each entry", entryOfMany},
		{"an entry tells how often it was taken in vain", entryOfAttempts},
		{"a held entry tells its holder", entryOfHeld},
		{"an entry that a type cannot hold is reported with its identity", entryOfUnusable},
	}
}

func entryOfVersion(k *kit) {
	id := write(k, e1).ID()
	e, err := space.ReadEntry(k.ctx, k.sp, simple{})
	k.ok(err)
	require.Equal(k, space.EntryOf[simple]{Value: e1, ID: id, Version: 1}, e)
	require.Equal(k, uint32(2), replace(k, id, e.Version, e2))
	e, err = space.ReadEntryID[simple](k.ctx, k.sp, id)
	k.ok(err)
	require.Equal(k, space.EntryOf[simple]{Value: e2, ID: id, Version: 2}, e)
	taken, err := space.TakeEntry(k.ctx, k.sp, simple{})
	k.ok(err)
	require.Equal(k, e, taken)
	_, err = space.ReadEntry(k.ctx, k.sp, simple{}, space.NoWait())
	k.fails(space.ErrNoMatch, err)
	_, err = space.ReadEntryID[simple](k.ctx, k.sp, id)
	k.fails(space.ErrNoMatch, err)
	_, err = space.ReadEntryID[simple](k.ctx, k.sp, 0)
	k.fails(space.ErrInvalidArgument, err)
}

func entryOfMany(k *kit) {
	var want []space.EntryOf[simple]
	for i, l := range writeAll(k, e1, e2, e3) {
		want = append(want, space.EntryOf[simple]{Value: []simple{e1, e2, e3}[i], ID: l.ID(), Version: 1})
	}
	all, err := space.ReadEntries(k.ctx, k.sp, simple{}, 9)
	k.ok(err)
	require.Equal(k, want, all)
	all = nil
	for e, err := range space.Entries(k.ctx, k.sp, simple{}) {
		k.ok(err)
		all = append(all, e)
	}
	require.ElementsMatch(k, want, all)
	all, err = space.TakeEntries(k.ctx, k.sp, simple{}, 2)
	k.ok(err)
	require.Equal(k, want[:2], all)
	require.Equal(k, []simple{e3}, drain(k, simple{}))
	_, err = space.ReadEntries(k.ctx, k.sp, simple{}, 0)
	k.fails(space.ErrInvalidArgument, err)
}

func entryOfAttempts(k *kit) {
	id := write(k, e1).ID()
	e, t, err := space.TakeEntryTxn(k.ctx, k.sp, simple{})
	k.ok(err)
	require.Equal(k, space.EntryOf[simple]{Value: e1, ID: id, Version: 1}, e)
	k.ok(t.Defer(k.ctx, id, 0))
	commit(k, t)
	e, err = space.TakeEntry(k.ctx, k.sp, simple{})
	k.ok(err)
	require.Equal(k, uint32(1), e.Attempts)
}

func entryOfHeld(k *kit) {
	write(k, e1)
	t := begin(k)
	take(k, e1, space.In(t))
	e, err := space.ReadEntry(k.ctx, k.sp, simple{}, space.Held())
	k.ok(err)
	require.Equal(k, e1, e.Value)
	require.Equal(k, t.ID(), e.Held.Txn)
}

func entryOfUnusable(k *kit) {
	id := write(k, third{"narrow", 1.5, 2}).ID()
	e, err := space.TakeEntry(k.ctx, k.sp, first{}, space.Strict())
	var unusable *space.UnusableEntryError
	require.ErrorAs(k, err, &unusable)
	require.Equal(k, id, e.ID)
	require.Zero(k, e.Value)
}
