package spacetest

import (
	"math"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
)

func longestCases() cases {
	return cases{
		{"a lease is never longer than was asked for, however long that is", longestLeases}, // semantics 6.1
		{"the longest delays and waits are as good as any", longestDelays},
		{"a sum that a field cannot hold is refused", longestSums},
	}
}

// ages are durations whose sum with the time of day no number holds.
var ages = []time.Duration{250 * 365 * 24 * time.Hour, 280 * 365 * 24 * time.Hour, space.Forever - 1}

func longestLeases(k *kit) {
	for _, d := range ages {
		granted := func(l *space.Lease) {
			k.Helper()
			require.LessOrEqual(k, l.Granted(), d)
			require.Greater(k, l.Granted(), 200*365*24*time.Hour)
			require.Greater(k, l.Remaining(), 200*365*24*time.Hour)
			require.True(k, l.Expires().After(time.Now()))
		}
		l := write(k, e1, space.For(d))
		granted(l)
		renewed, err := l.Renew(k.ctx, d)
		k.ok(err)
		require.LessOrEqual(k, renewed, d)
		granted(l)

		t := begin(k, space.For(d))
		granted(t.Lease())
		_, err = t.Lease().Renew(k.ctx, d)
		k.ok(err)
		granted(t.Lease())
		require.Equal(k, e1, take(k, e1, space.In(t)))
		k.ok(t.Commit(k.ctx))

		r, err := k.sp.Notify(k.ctx, k.match(e1), 0, d)
		k.ok(err)
		granted(r.Lease())
		_, err = r.Lease().Renew(k.ctx, d)
		k.ok(err)
		granted(r.Lease())
		k.ok(r.Close())
	}
}

func longestDelays(k *kit) {
	for _, d := range ages {
		delayed := write(k, e2, space.Delay(space.MaxDelay), space.For(d))
		require.Greater(k, delayed.Granted(), 100*365*24*time.Hour)
		absent(k, e2)
		k.ok(delayed.Cancel(k.ctx))

		p := startFind(k, verb{take: true}, e1, space.Wait(d))
		write(k, e1)
		require.Equal(k, e1, p.result(k))

		write(k, e3)
		got, t, err := space.TakeTxn(k.ctx, k.sp, e3, space.For(d), space.Wait(d))
		k.ok(err)
		require.Equal(k, e3, got)
		k.ok(t.Abort(k.ctx))
		take(k, e3)
	}
}

func longestSums(k *kit) {
	type counter struct {
		Name string
		N    int64
		U    uint64
	}
	write(k, counter{"c", math.MaxInt64 - 1, 1})
	for _, c := range []struct {
		field string
		n     int64
	}{{"n", 2}, {"n", math.MaxInt64}, {"u", -2}, {"u", math.MinInt64}} {
		_, err := space.Add(k.ctx, k.sp, counter{Name: "c"}, c.field, c.n)
		k.fails(space.ErrInvalidArgument, err)
	}
	n, err := space.Add(k.ctx, k.sp, counter{Name: "c"}, "n", 1)
	k.ok(err)
	require.Equal(k, int64(math.MaxInt64), n)
	require.Equal(k, counter{"c", math.MaxInt64, 1}, take(k, counter{}))
}
