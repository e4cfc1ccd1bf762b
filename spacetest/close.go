package spacetest

import (
	"context"
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
)

func closeCases() cases {
	return cases{
		{"every call on a closed space is refused", closeRefuses},
		{"closing ends waiting calls", closeEndsWaits},
		{"closing ends listeners", closeEndsListeners},
		{"closing twice is closing once", closeTwice},
		{"closing under load leaves no call hanging", closeUnderLoad},
	}
}

func closeRefuses(k *kit) {
	l := write(k, e1)
	q := k.match(e1)
	p := prepare(k, e1)
	k.ok(k.sp.Close())
	for name, call := range map[string]func() error{
		"write":    func() error { _, err := space.Write(k.ctx, k.sp, e1); return err },
		"read":     func() error { _, err := space.Read(k.ctx, k.sp, e1); return err },
		"take":     func() error { _, err := space.TakeIfExists(k.ctx, k.sp, e1); return err },
		"prepared": func() error { _, err := p.Take(k.ctx); return err },
		"count":    func() error { _, err := k.sp.Count(k.ctx, q); return err },
		"notify":   func() error { _, err := k.sp.Notify(k.ctx, q, 0, long); return err },
		"renew":    func() error { _, err := l.Renew(k.ctx, long); return err },
		"cancel":   func() error { return l.Cancel(k.ctx) },
		"kinds":    func() error { _, err := k.sp.Kinds(k.ctx); return err },
		"register": func() error { _, err := k.sp.Register(k.ctx, schemaOf("raw", nil, "a")); return err },
		"contents": func() error {
			for _, err := range k.sp.Contents(k.ctx, q) {
				return err
			}
			return nil
		},
	} {
		require.ErrorIs(k, call(), space.ErrClosed, name)
	}
}

func closeEndsWaits(k *kit) {
	var calls []*pending[simple]
	for _, v := range []verb{verbs[0], verbs[2]} {
		calls = append(calls, startFind(k, v, e1), startFind(k, v, e1, space.Wait(long)))
	}
	k.parked(4)
	k.ok(k.sp.Close())
	for _, c := range calls {
		_, err := c.wait()
		k.fails(space.ErrClosed, err)
	}
}

func closeEndsListeners(k *kit) {
	reg := notify(k, simple{})
	waiting := start(k, func(ctx context.Context) (space.Event, error) { return reg.Next(ctx) })
	k.ok(k.sp.Close())
	_, err := waiting.wait()
	k.fails(space.ErrClosed, err)
}

func closeTwice(k *kit) {
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if err := k.sp.Close(); err != nil {
				k.Error(err)
			}
		})
	}
	wg.Wait()
	k.ok(k.sp.Close())
}

func closeUnderLoad(k *kit) {
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			for {
				var err error
				if i%2 == 0 {
					_, err = space.Write(k.ctx, k.sp, simple{"A", i})
				} else {
					_, err = space.Take(k.ctx, k.sp, simple{Name: "A"})
				}
				if err != nil {
					return
				}
			}
		})
	}
	k.parked(0)
	write(k, e2)
	k.ok(k.sp.Close())
	wg.Wait()
}
