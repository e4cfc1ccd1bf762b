package spacetest

import (
	"context"
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
)

func preparedCases() cases {
	return cases{
		{"a prepared template keeps what it was made from", preparedKeeps},            // semantics 8.5
		{"writing a prepared template writes the entry", preparedWrites},              // semantics 8.5
		{"every template finds the same when it is prepared", preparedMatrix},         // semantics 8.5
		{"an empty prepared template matches every entry of its kind", preparedEmpty}, // semantics 8.5
		{"a prepared registration gets the same events", preparedNotify},              // semantics 8.5
		{"a prepared template serves its own space only", preparedOtherSpace},         // semantics 8.5
		{"conditions and orderings are prepared too", preparedOptions},
		{"the wait may be given per call", preparedWait},
		{"one prepared template serves many goroutines", preparedConcurrent},
		{"a prepared template survives that its kind grows", preparedGrows}, // semantics 8.5
		{"what could not be asked for cannot be prepared", preparedInvalid},
	}
}

func prepare[T any](k *kit, template T, opts ...space.ReadOption) *space.Prepared[T] {
	k.Helper()
	p, err := space.Prepare(k.ctx, k.sp, template, opts...)
	k.ok(err)
	return p
}

func preparedKeeps(k *kit) {
	for bits := range 1 << 6 {
		template := pick(bits)
		p := prepare(k, template)
		template = flat{Number: 99, Text: "other"}
		_ = template
		write(k, flatSample)
		got, err := p.Take(k.ctx, space.NoWait())
		k.ok(err)
		require.Equal(k, flatSample, got)
	}
	deep := sample()
	p := prepare(k, &deep)
	deep.Bytes[0], deep.Strings[0], deep.Map["a"], deep.Int = 9, "changed", 9, 0
	write(k, sample())
	got, err := p.Take(k.ctx, space.NoWait())
	k.ok(err)
	require.Equal(k, sample(), *got)
}

func preparedWrites(k *kit) {
	p := prepare(k, e1)
	for range 2 {
		_, err := p.Write(k.ctx)
		k.ok(err)
		write(k, e1)
	}
	n, err := p.Count(k.ctx)
	k.ok(err)
	require.Equal(k, 4, n)
	require.Equal(k, e1, take(k, e1))
	for range 3 {
		got, err := p.TakeIfExists(k.ctx)
		k.ok(err)
		require.Equal(k, e1, got)
	}
	_, err = p.ReadIfExists(k.ctx)
	k.fails(space.ErrNoMatch, err)

	l, err := p.Write(k.ctx, space.For(long))
	k.ok(err)
	require.LessOrEqual(k, l.Granted(), long)
	require.Equal(k, e1, take(k, simple{}))
}

func preparedMatrix(k *kit) {
	population(k)
	for _, s := range shapes {
		if s.template == nil {
			continue
		}
		p := prepare(k, s.template[0], space.NoWait())
		n, err := p.Count(k.ctx)
		k.ok(err)
		require.Equal(k, 2*len(s.matches), n, s.name)
		calls := []func(context.Context, ...space.PreparedOption) (simple,
			error){p.Read, p.ReadIfExists, p.Take, p.TakeIfExists}
		for i, call := range calls {
			got, err := call(k.ctx)
			if len(s.matches) == 0 {
				require.ErrorIs(k, err, space.ErrNoMatch, s.name)
				continue
			}
			require.NoError(k, err, s.name)
			require.Contains(k, s.matches, got, s.name)
			if verbs[i].take {
				write(k, got)
			}
		}
	}
	require.ElementsMatch(k, []simple{e1, e2, e3, e1, e2, e3}, drain(k, simple{}))
}

func preparedEmpty(k *kit) {
	p := prepare(k, simple{}, space.NoWait())
	nothing := prepare[*simple](k, nil, space.NoWait())
	population(k)
	for range 3 {
		_, err := p.Take(k.ctx)
		k.ok(err)
		_, err = nothing.Take(k.ctx)
		k.ok(err)
	}
	require.Zero(k, k.total())
	_, err := nothing.Write(k.ctx)
	k.fails(space.ErrInvalidArgument, err)
	_, err = p.Write(k.ctx) // an entry of zero values
	k.ok(err)
	require.Equal(k, simple{}, take(k, simple{}))
}

func preparedNotify(k *kit) {
	k.needOnePartition()
	p := prepare(k, simple{Name: "A"})
	reg, err := k.sp.Notify(k.ctx, p.Query(), 0, space.Forever)
	k.ok(err)
	defer reg.Close()
	writeAll(k, e1, e2)
	_, err = prepare(k, e3).Write(k.ctx)
	k.ok(err)
	require.Equal(k, []simple{e1, e3}, next[simple](k, reg, reg.Start(), 2))
}

func preparedOtherSpace(k *kit) {
	other := &kit{T: k.T, ctx: k.ctx, sp: k.open(k), open: k.open}
	write(k, e1)
	p, q := prepare(k, e1, space.NoWait()), prepare(other, e1, space.NoWait())
	_, err := q.Read(k.ctx)
	k.fails(space.ErrNoMatch, err)
	_, err = q.Write(k.ctx)
	k.ok(err)
	got, err := q.Take(k.ctx)
	k.ok(err)
	require.Equal(k, e1, got)
	got, err = p.Take(k.ctx)
	k.ok(err)
	require.Equal(k, e1, got)
	require.Zero(k, k.total())
	require.Zero(k, other.total())
}

func preparedOptions(k *kit) {
	p := prepare(k, simple{}, space.Where("id", space.Ge(2)), space.OrderBy("-name"), space.NoWait())
	population(k)
	got, err := p.Read(k.ctx)
	k.ok(err)
	require.Equal(k, e2, got)
	n, err := p.Count(k.ctx)
	k.ok(err)
	require.Equal(k, 4, n)
}

func preparedWait(k *kit) {
	p := prepare(k, e1, space.NoWait())
	_, err := p.Read(k.ctx)
	k.fails(space.ErrNoMatch, err)
	taker := start(k, func(ctx context.Context) (simple, error) { return p.Take(ctx, space.Wait(long)) })
	k.parked(1)
	write(k, e1)
	require.Equal(k, e1, taker.result(k))
	_, err = p.Take(k.ctx, space.Wait(-1))
	k.fails(space.ErrInvalidArgument, err)
}

func preparedConcurrent(k *kit) {
	const goroutines, each = 4, 50
	p := prepare(k, e1)
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for range each {
				if _, err := p.Write(k.ctx); err != nil {
					k.Error(err)
				}
				if got, err := p.Take(k.ctx); err != nil || got != e1 {
					k.Error(got, err)
				}
			}
		})
	}
	wg.Wait()
	absent(k, simple{})
}

func preparedGrows(k *kit) {
	k.needOnePartition()
	p := prepare(k, first{7}, space.NoWait())
	write(k, third{"grown", 1, 7})
	write(k, second{7, "grown"})
	got, err := p.Take(k.ctx)
	k.ok(err)
	require.Equal(k, first{7}, got)
	_, err = p.Write(k.ctx)
	k.ok(err)
	require.Equal(k, []third{{"grown", 0, 7}, {A: 7}}, drain(k, third{}))
}

func preparedInvalid(k *kit) {
	for _, o := range []space.ReadOption{space.Wait(-1), space.OrderBy("ID"), space.Where("name", space.Eq(1))} {
		_, err := space.Prepare(k.ctx, k.sp, simple{}, o)
		k.fails(space.ErrInvalidArgument, err)
	}
}
