package spacetest

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/spacetest/history"
)

// workload describes a random concurrent run.
type workload struct {
	clients, calls int // so many calls per client
	keys, colors   int
	crossKeys      bool // some patterns span keys
	unsteady       bool // calls may fail because the server goes away; otherwise only ended contexts and ended leases are expected
}

// item is the entry of random runs. V counts its updates.
type item struct {
	Key, Color, N, V int
}

// example returns the template for what p selects.
func example(p history.Pattern) item { return item{Key: p.Key, Color: p.Color, N: p.N} }

// run lets clients call at random and returns what they saw, with a last client that drains what is left. They share the values in
// sps, which are all the same space. The disturbances are called one after the other, spread over the run.
func (w workload) run(tb testing.TB, sps []space.Space, disturbances ...func()) []history.Op {
	tb.Helper()
	seed := runSeed(tb)
	rec := history.New()
	var numbers atomic.Int64
	client := func(i int) *randomClient {
		return &randomClient{w, tb, sps[i%len(sps)], rec.Client(), rand.New(rand.NewPCG(seed, uint64(i))), &numbers, nil}
	}
	calls := make(chan struct{}, w.clients*w.calls)
	var wg sync.WaitGroup
	for i := range w.clients {
		c := client(i)
		wg.Go(func() {
			for range w.calls {
				calls <- struct{}{}
				c.call()
			}
		})
	}
	for _, disturb := range disturbances {
		for range cap(calls) / (len(disturbances) + 1) {
			<-calls
		}
		disturb()
	}
	wg.Wait()
	last := client(w.clients)
	for key := range w.keys {
		last.drain(key + 1)
	}
	ops := rec.History()
	tb.Logf("%d calls: %v", len(ops), outcomes(ops))
	return ops
}

func outcomes(ops []history.Op) map[history.Outcome]int {
	n := map[history.Outcome]int{}
	for _, o := range ops {
		n[o.Outcome]++
	}
	return n
}

// seedVariable names the environment variable that repeats a run. What the goroutines make of it is up to the scheduler.
const seedVariable = "GOSPACES_SEED"

func runSeed(tb testing.TB) uint64 {
	seed := rand.Uint64()
	if s, err := strconv.ParseUint(os.Getenv(seedVariable), 10, 64); err == nil {
		seed = s
	}
	tb.Logf("%s=%d", seedVariable, seed)
	return seed
}

// randomClient is one caller of a random run. It belongs to one goroutine.
type randomClient struct {
	workload
	tb      testing.TB
	sp      space.Space
	log     *history.Log
	rng     *rand.Rand
	numbers *atomic.Int64
	leases  []leased
}

type leased struct {
	lease *space.Lease
	item  history.Item
}

// call makes one random call.
func (c *randomClient) call() {
	switch n := c.rng.IntN(100); {
	case n < 32:
		c.write(1)
	case n < 37:
		c.write(1 + c.rng.IntN(4))
	case n < 68:
		c.find(history.Take, 1)
	case n < 75:
		c.find(history.Take, 1+c.rng.IntN(4))
	case n < 90:
		c.find(history.Read, 1+c.rng.IntN(2))
	case n < 95:
		c.count()
	default:
		c.cancel()
	}
}

func (c *randomClient) write(n int) {
	key := 1 + c.rng.IntN(c.keys)
	op := history.Op{Verb: history.Write}
	vs := make([]item, n)
	for i := range vs {
		vs[i] = item{key, 1 + c.rng.IntN(c.colors), int(c.numbers.Add(1)), 0}
		op.Items = append(op.Items, history.Item(vs[i]))
	}
	lease := space.Forever
	if c.rng.IntN(6) == 0 {
		lease = time.Duration(1+c.rng.IntN(30)) * time.Millisecond
	}
	c.log.Do(op, func(op *history.Op) {
		ls, err := space.WriteAll(c.tb.Context(), c.sp, vs, space.For(lease))
		op.Outcome = c.outcome(err)
		op.Lease = lease
		for i, l := range ls {
			op.Lease = l.Granted()
			c.leases = append(c.leases, leased{l, op.Items[i]})
		}
	})
}

func (c *randomClient) find(verb history.Verb, most int) {
	op := history.Op{Verb: verb, Pattern: c.pattern(), Max: most}
	opts := []space.Option{space.NoWait()}
	ctx := c.tb.Context()
	switch c.rng.IntN(4) {
	case 0: // a wait that may end without a match
		op.Wait = time.Duration(1+c.rng.IntN(5)) * time.Millisecond
		opts = []space.Option{space.Wait(op.Wait)}
	case 1: // a wait that its caller may cut short
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(c.rng.IntN(3000))*time.Microsecond)
		defer cancel()
		opts = nil
	}
	call := space.ReadAll[item]
	if verb == history.Take {
		call = space.TakeAll[item]
	}
	c.log.Do(op, func(op *history.Op) {
		found, err := call(ctx, c.sp, example(op.Pattern), op.Max, opts...)
		op.Outcome = c.outcome(err)
		for _, v := range found {
			op.Items = append(op.Items, history.Item(v))
		}
	})
}

func (c *randomClient) pattern() history.Pattern {
	p := history.Pattern{Key: 1 + c.rng.IntN(c.keys)}
	if c.crossKeys && c.rng.IntN(5) == 0 {
		p.Key = 0
	}
	if c.rng.IntN(2) == 0 {
		p.Color = 1 + c.rng.IntN(c.colors)
	}
	return p
}

func (c *randomClient) count() {
	c.log.Do(history.Op{Verb: history.Count, Pattern: c.pattern()}, func(op *history.Op) {
		n, err := space.Count(c.tb.Context(), c.sp, example(op.Pattern))
		op.Number, op.Outcome = n, c.outcome(err)
	})
}

func (c *randomClient) cancel() {
	if len(c.leases) == 0 {
		return
	}
	l := c.leases[c.rng.IntN(len(c.leases))]
	c.log.Do(history.Op{Verb: history.Cancel, Items: []history.Item{l.item}}, func(op *history.Op) {
		op.Outcome = c.outcome(l.lease.Cancel(c.tb.Context()))
	})
}

// drain takes all items of a key that are left, until there is none.
func (c *randomClient) drain(key int) {
	for more := true; more; {
		op := history.Op{Verb: history.Take, Pattern: history.Pattern{Key: key}, Max: 10}
		c.log.Do(op, func(op *history.Op) {
			found, err := space.TakeAll(c.tb.Context(), c.sp, example(op.Pattern), op.Max, space.NoWait())
			op.Outcome = c.outcome(err)
			for _, v := range found {
				op.Items = append(op.Items, history.Item(v))
			}
			more = op.Outcome != history.None
		})
	}
}

// outcome says what the error of a call means for the history.
func (c *randomClient) outcome(err error) history.Outcome {
	switch {
	case err == nil:
		return history.OK
	case errors.Is(err, space.ErrNoMatch), errors.Is(err, space.ErrLeaseEnded):
		return history.None
	case errors.Is(err, space.ErrOutcomeUnknown):
		return history.Unknown
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return history.Refused
	case c.unsteady && errors.Is(err, space.ErrUnavailable):
		return history.Refused
	}
	c.tb.Errorf("unexpected: %v", err)
	return history.Refused
}
