package spacetest

import (
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/spacetest/history"
	"github.com/gospaces/gospaces/spacetest/random"
)

// workload describes a random concurrent run.
type workload struct {
	clients, calls int // so many calls per client; a transaction counts as one
	keys, colors   int
	crossKeys      bool // some patterns and transactions span keys
	txns           int  // so many calls of a hundred are transactions
	updates        int  // so many of a hundred calls outside transactions change items in place
	// calls may fail because the server goes away; otherwise only ended contexts and ended leases are expected
	unsteady bool
	crashes  bool // the disturbances end the server and start it again: nothing that is under way survives them
}

// run lets clients call at random and returns what they saw, with a last client that drains what is left. They share
// the values in sps, which are all the same space. The disturbances are called one after the other, spread over the
// run.
func (w workload) run(tb testing.TB, sps []space.Space, disturbances ...func()) []history.Op {
	tb.Helper()
	return w.runSeed(tb, runSeed(tb), sps, disturbances...)
}

// runSeed is run with a given seed.
func (w workload) runSeed(tb testing.TB, seed uint64, sps []space.Space, disturbances ...func()) []history.Op {
	tb.Helper()
	r := &randomRun{workload: w, tb: tb, rec: history.New()}
	calls := make(chan struct{}, w.clients*w.calls)
	var wg sync.WaitGroup
	for i := range w.clients {
		c := r.client(sps[i%len(sps)], seed, i)
		wg.Go(func() {
			for range w.calls {
				calls <- struct{}{}
				c.call()
			}
		})
	}
	disturber := r.rec.Client()
	for _, disturb := range disturbances {
		for range cap(calls) / (len(disturbances) + 1) {
			<-calls
		}
		r.disturb(disturber, disturb)
	}
	wg.Wait()
	if w.crashes { // to settle calls of unknown outcome
		r.disturb(disturber, disturbances[len(disturbances)-1])
	}
	last := r.client(sps[w.clients%len(sps)], seed, w.clients)
	last.endAll()
	for key := range w.keys {
		last.drain(key + 1)
	}
	ops := r.rec.History()
	tb.Logf("%d calls: %v", len(ops), outcomes(ops))
	return ops
}

// randomRun is what the clients of a random run share.
type randomRun struct {
	workload
	tb   testing.TB
	rec  *history.Recorder
	last atomic.Int64 // the last number of an item or a transaction

	mu   sync.Mutex
	txns []sharedTxn // that others may join; guarded by mu
}

// client returns the client with a number.
func (r *randomRun) client(sp space.Space, seed uint64, number int) *randomClient {
	c := &randomClient{randomRun: r, sp: sp, log: r.rec.Client()}
	c.Caller = &random.Caller{
		World: c, Rng: rand.New(rand.NewPCG(seed, uint64(number))), Colors: r.colors, Wait: 5 * time.Millisecond,
		Rest: 2 * time.Millisecond,
	}
	return c
}

// disturb calls a disturbance, and records it if it is a crash.
func (r *randomRun) disturb(log *history.Log, disturb func()) {
	if !r.crashes {
		disturb()
		return
	}
	log.Do(history.Op{Verb: history.Crash, Outcome: history.OK}, func(*history.Op) { disturb() })
}

func outcomes(ops []history.Op) map[history.Outcome]int {
	n := map[history.Outcome]int{}
	for _, o := range ops {
		n[o.Outcome]++
	}
	return n
}

// seedVariable names the environment variable that repeats a run. What the goroutines make of it is up to the
// scheduler.
const seedVariable = "SOAK_SEED"

func runSeed(tb testing.TB) uint64 {
	seed := rand.Uint64()
	if s, err := strconv.ParseUint(os.Getenv(seedVariable), 10, 64); err == nil {
		seed = s
	}
	tb.Logf("%s=%d", seedVariable, seed)
	return seed
}
