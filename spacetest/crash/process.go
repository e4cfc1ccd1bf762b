//go:build linux

package crash

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/space"
)

// The parts that client processes play.
const (
	callers  = "callers"  // random calls, with transactions over both spaces
	writers  = "writers"  // jobs, many at a time
	workers  = "workers"  // work.Run
	listener = "listener" // events of jobs
	readers  = "readers"  // random reads of each node of a cluster, and of no other
)

// orders are the instructions for a client process.
type orders struct {
	Part    string
	Number  int    // unique in the campaign
	Addr    string // of the server, or of all nodes
	Journal string
	Seed    uint64
	Parts   int  // partitions of the second space
	Late    bool // as history.Op has it, for what transactions write in another partition than their home
}

// ordersVariable names the environment variable that makes a program a client process.
const ordersVariable = "CRASH_ORDERS"

// IsClient reports whether a campaign has started this process as one of its clients: the main function must then call
// Client and return.
func IsClient() bool { return os.Getenv(ordersVariable) != "" }

// Client follows the orders of a campaign until SIGTERM, and returns the exit code.
func Client() int {
	var o orders
	err := json.Unmarshal([]byte(os.Getenv(ordersVariable)), &o)
	if err == nil {
		err = runClient(o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// process is a client process.
type process struct {
	*journal
	orders
	spaces   [len(spaceNames)]space.Space
	numbered atomic.Int64

	mu         sync.Mutex
	complaints []string // guarded by mu
}

func runClient(o orders) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	file, err := os.OpenFile(o.Journal, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer file.Close()
	p := &process{journal: &journal{clock: now, client: o.Number, file: file}, orders: o}
	said, err := os.Create(o.Journal + ".log")
	if err != nil {
		return err
	}
	defer said.Close()
	cl, err := dial(ctx, o.Addr, slog.New(slog.NewTextHandler(said, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if ctx.Err() != nil {
		return nil // stopped before there was a server
	}
	if err != nil {
		return err
	}
	defer cl.Close()
	for i, name := range spaceNames {
		p.spaces[i] = cl.SpaceNamed(name)
	}
	map[string]func(context.Context){
		callers: p.call, writers: p.write, workers: p.work, listener: p.listen,
		readers: p.read,
	}[o.Part](ctx)
	return p.failed()
}

// dial connects to a server that may be down for up to patience. log receives what the client logs; it may be nil.
func dial(ctx context.Context, addr string, log *slog.Logger) (*client.Client, error) {
	for began := time.Now(); ; {
		cl, err := client.DialConfig(ctx, client.Config{
			Addr: addr, Conns: 2, MinBackoff: 5 * time.Millisecond, MaxBackoff: 200 * time.Millisecond,
			Grace: 200 * time.Millisecond, Logger: log,
		})
		if err == nil || ctx.Err() != nil || time.Since(began) > patience {
			return cl, err
		}
		pause(ctx, 50*time.Millisecond)
	}
}

// next returns a number that is unique among the entries and transactions of the campaign.
func (p *process) next() int { return p.Number<<24 + int(p.numbered.Add(1)) }

// complain records an error; the process continues.
func (p *process) complain(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.complaints) < 10 {
		p.complaints = append(p.complaints, fmt.Sprintf(format, args...))
	}
}

// failed returns the recorded errors.
func (p *process) failed() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.complaints) > 0 {
		return fmt.Errorf("%s %d: %q", p.Part, p.Number, p.complaints)
	}
	return p.failure()
}

// call plays the part of the callers, one for each lane.
func (p *process) call(ctx context.Context) {
	var all sync.WaitGroup
	for lane := range lanes {
		all.Go(func() { p.caller(lane, p.rng(lane)).run(ctx) })
	}
	all.Wait()
}

func (p *process) rng(n int) *rand.Rand {
	return rand.New(rand.NewPCG(p.Seed, uint64(p.Number)<<8+uint64(n)))
}
