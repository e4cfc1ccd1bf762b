//go:build linux

package crash

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/gospaces/gospaces/spacetest/history"
	"github.com/gospaces/gospaces/spacetest/random"
)

// readersOfEach is the number of readers of each space at each node.
const readersOfEach = 4

// read runs the readers of a cluster: several for each node, which ask that node and no other. A node that was replaced
// and does not know it yet must not answer them.
func (p *process) read(ctx context.Context) {
	var all sync.WaitGroup
	for i, addr := range strings.Split(p.Addr, ",") {
		for space := range spaceNames {
			all.Go(func() { p.readFrom(ctx, addr, space, (i*len(spaceNames)+space)*readersOfEach) })
		}
	}
	all.Wait()
}

// readFrom reads a space at the node at addr; number is that of the first reader.
func (p *process) readFrom(ctx context.Context, addr string, space, number int) {
	cl, err := dialOnly(ctx, addr, spaceNames[space])
	for err != nil && ctx.Err() == nil {
		pause(ctx, 100*time.Millisecond)
		cl, err = dialOnly(ctx, addr, spaceNames[space])
	}
	if err != nil {
		return
	}
	defer cl.Close()
	own := &process{journal: p.journal, orders: p.orders}
	own.spaces[space] = cl
	var all sync.WaitGroup
	for i := range readersOfEach {
		all.Go(func() { own.readSome(ctx, space, p.rng(number+i)) })
	}
	all.Wait()
	for _, c := range own.complaints {
		p.complain("%s", c)
	}
}

// readSome reads one space until ctx ends.
func (p *process) readSome(ctx context.Context, home int, rng *rand.Rand) {
	for ctx.Err() == nil {
		c := p.caller(rng.IntN(lanes), rng)
		c.limit = 300 * time.Millisecond
		none := &random.Txn{Caller: c.Caller, Key: func() int { return c.keyIn(home) }}
		if rng.IntN(3) == 0 {
			none.Count()
		} else {
			none.Find(history.Read, 1+rng.IntN(3))
		}
		pause(ctx, upTo(rng, 20*time.Millisecond))
	}
}
