package spacetest

import (
	"context"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
)

func byIDCases() cases {
	return cases{
		{"an entry is read and taken by its identity", byIDFinds},
		{"an entry that is gone is not found by its identity, whatever the wait", byIDGone},
		{"an entry that is found by its identity must match, too", byIDMatches},
		{"a locked entry is waited for by its identity", byIDWaits},
	}
}

func byIDFinds(k *kit) {
	ls := writeAll(k, e1, e1, e1)
	write(k, aVan)
	got, err := space.ReadID[simple](k.ctx, k.sp, ls[1].ID())
	k.ok(err)
	require.Equal(k, e1, got)
	got, err = space.TakeID[simple](k.ctx, k.sp, ls[1].ID())
	k.ok(err)
	require.Equal(k, e1, got)
	require.False(k, k.visible(ls[1].ID()))
	require.Equal(k, 3, k.total())
	id := write(k, aVan).ID()
	c, err := space.TakeID[car](k.ctx, k.sp, id) // by a kind that it embeds
	k.ok(err)
	require.Equal(k, aVan.car, c)
	_, err = space.TakeID[simple](k.ctx, k.sp, 0)
	k.fails(space.ErrInvalidArgument, err)
}

func byIDGone(k *kit) {
	ls := writeAll(k, e1, e1)
	take(k, e1)
	k.ok(ls[1].Cancel(k.ctx))
	for _, id := range []space.LeaseID{ls[0].ID(), ls[1].ID(), 1 << 60} {
		for _, opts := range [][]space.IDOption{nil, {space.Wait(long)}, {space.NoWait()}, {space.In(begin(k))}} {
			_, err := space.ReadID[simple](k.ctx, k.sp, id, opts...)
			k.fails(space.ErrNoMatch, err)
			_, err = space.TakeID[simple](k.ctx, k.sp, id, opts...)
			k.fails(space.ErrNoMatch, err)
		}
	}
}

func byIDMatches(k *kit) {
	id := write(k, e1).ID()
	write(k, twin(e1))
	_, err := space.ReadID[twin](k.ctx, k.sp, id)
	k.fails(space.ErrNoMatch, err)
	_, err = space.TakeID[van](k.ctx, k.sp, id)
	k.fails(space.ErrNoMatch, err)
	_, err = space.TakeID[simple](k.ctx, k.sp, id, space.Where("id", space.Gt(1)))
	k.fails(space.ErrNoMatch, err)
	replace(k, id, 0, e2)
	got, err := space.TakeID[simple](k.ctx, k.sp, id, space.Where("id", space.Gt(1)))
	k.ok(err)
	require.Equal(k, e2, got)
	require.Equal(k, twin(e1), take(k, twin{}))
}

func byIDWaits(k *kit) {
	id := write(k, e1).ID()
	t, other := begin(k), begin(k)
	got, err := space.ReadID[simple](k.ctx, k.sp, id, space.In(t))
	k.ok(err)
	require.Equal(k, e1, got)
	got, err = space.ReadID[simple](k.ctx, k.sp, id, space.In(other))
	k.ok(err)
	require.Equal(k, e1, got)
	_, err = space.TakeID[simple](k.ctx, k.sp, id, space.NoWait())
	k.fails(space.ErrNoMatch, err)
	_, err = space.TakeID[simple](k.ctx, k.sp, id, space.Wait(brief))
	k.fails(space.ErrNoMatch, err)
	p := start(k, func(ctx context.Context) (simple, error) { return space.TakeID[simple](ctx, k.sp, id, space.In(t)) })
	k.parked(1)
	commit(k, other)
	require.Equal(k, e1, p.result(k))
	abort(k, t)
	require.Equal(k, e1, take(k, e1))
}
