//go:build linux

package crash

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/gospaces/gospaces/spacetest/history"
)

// read plays the part of the readers: several for each node of a cluster, each of which asks that node and no other. A
// node that was replaced and does not know it yet must not answer them.
func (p *process) read(ctx context.Context) {
	var all sync.WaitGroup
	for i, addr := range strings.Split(p.Addr, ",") {
		all.Go(func() { p.readFrom(ctx, i, addr) })
	}
	all.Wait()
}

// readFrom reads from the node at addr.
func (p *process) readFrom(ctx context.Context, n int, addr string) {
	cl, err := dialOnly(ctx, addr)
	for err != nil && ctx.Err() == nil {
		pause(ctx, 100*time.Millisecond)
		cl, err = dialOnly(ctx, addr)
	}
	if err != nil {
		return
	}
	defer cl.Close()
	own := &process{journal: p.journal, orders: p.orders}
	for i, name := range spaceNames {
		own.spaces[i] = cl.SpaceNamed(name)
	}
	rng := p.rng(n)
	for ctx.Err() == nil {
		none := &under{caller: &caller{process: own, rng: rng, lane: rng.IntN(lanes), limit: 300 * time.Millisecond}}
		if rng.IntN(3) == 0 {
			none.count()
		} else {
			none.find(history.Read, 1+rng.IntN(3))
		}
		pause(ctx, upTo(rng, 20*time.Millisecond))
	}
	for _, c := range own.complaints {
		p.complain("%s", c)
	}
}
