package spacetest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/node"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/space/memory"
)

// soakVariable names the environment variable that says for how long TestSoak runs.
const soakVariable = "SOAK"

// soakBriefly is for how long it runs otherwise.
const soakBriefly = 3 * time.Second

// TestSoak runs random programs on spaces of every sort, one after the other in each of two lanes, with crashes,
// restarts and cut connections, and judges what their clients saw. Each round has a seed of its own, which it prints
// when it fails: given as SOAK_SEED it makes the first round the same program on the same sort of space.
func TestSoak(t *testing.T) {
	t.Parallel()
	d := soakBriefly
	if s := os.Getenv(soakVariable); s != "" {
		var err error
		d, err = time.ParseDuration(s)
		require.NoError(t, err, soakVariable)
	}
	began := time.Now()
	s := &soak{began: began, until: began.Add(d)}
	stop := s.report()
	seed := runSeed(t)
	for lane := range uint64(2) {
		t.Run(fmt.Sprint("lane ", lane+1), func(t *testing.T) {
			t.Parallel()
			for n := lane; time.Now().Before(s.until); n += 2 {
				s.round(t, seed+n)
			}
		})
	}
	t.Cleanup(func() {
		stop()
		s.show()
	})
}

// soak counts what has been done.
type soak struct {
	began, until                         time.Time
	rounds, calls, disturbances, unknown atomic.Int64
}

// report shows the counts now and then until stop is called.
func (s *soak) report() (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(10 * time.Second)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				s.show()
			case <-done:
				return
			}
		}
	}()
	return func() { close(done); <-ended }
}

func (s *soak) isBrief() bool { return s.until.Sub(s.began) <= soakBriefly }

func (s *soak) show() {
	if s.isBrief() {
		return
	}
	fmt.Fprintf(os.Stderr, "soak: %v of %v: %d rounds, %d calls, %d of them of unknown outcome, %d disturbances\n",
		time.Since(s.began).Round(time.Second), s.until.Sub(s.began), s.rounds.Load(), s.calls.Load(),
		s.unknown.Load(), s.disturbances.Load())
}

// round runs one program, all of which follows from seed.
func (s *soak) round(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 0))
	arrangement := arrangements[rng.IntN(len(arrangements))]
	for s.isBrief() && arrangement.parted { // its rounds take longer
		arrangement = arrangements[rng.IntN(len(arrangements))]
	}
	w := randomWorkload(rng)
	t.Run(fmt.Sprintf("%s %d", arrangement.name, seed), func(t *testing.T) {
		sps, disturb := arrangement.open(t)
		w.unsteady, w.crashes = disturb != nil, arrangement.crashes
		if arrangement.parted {
			w.crossKeys, w.txns = false, 0
		}
		var disturbances []func()
		for range 1 + rng.IntN(4) {
			if disturb != nil {
				disturbances = append(disturbances, disturb)
			}
		}
		ops := w.runSeed(t, seed, sps, disturbances...)
		s.rounds.Add(1)
		s.calls.Add(int64(len(ops)))
		s.disturbances.Add(int64(len(disturbances)))
		s.unknown.Add(int64(outcomes(ops)["unknown"]))
		judge(t, w, ops)
	})
}

// randomWorkload returns a small workload, whose calls can be put into one order, or a larger one.
func randomWorkload(rng *rand.Rand) workload {
	w := workload{
		clients: 2 + rng.IntN(3), calls: 8 + rng.IntN(8), keys: 2 + rng.IntN(2), colors: 2, txns: rng.IntN(80),
		updates: 7 * rng.IntN(2),
	}
	if rng.IntN(3) > 0 {
		w.clients, w.calls, w.keys, w.crossKeys = 2+rng.IntN(9), 20+rng.IntN(100), 1+rng.IntN(5), rng.IntN(2) == 0
	}
	return w
}

// arrangement is a sort of space. open returns one, as one or several clients have it, and what disturbs it: nil if
// nothing can.
type arrangement struct {
	name    string
	crashes bool
	open    func(t *testing.T) (sps []space.Space, disturb func())
	parted  bool // each call is made in one of several partitions, where it is judged
}

var arrangements = []arrangement{
	{"in process", false, func(t *testing.T) ([]space.Space, func()) {
		sp := memory.New(memory.Config{})
		t.Cleanup(func() { sp.Close() })
		return []space.Space{sp}, nil
	}, false},
	{"cut", false, func(t *testing.T) ([]space.Space, func()) {
		s := Server(t, ServerConfig{Durability: node.Memory})
		return clientsOf(t, s), s.Cut
	}, false},
	{"cut with log", false, func(t *testing.T) ([]space.Space, func()) {
		s := Server(t, ServerConfig{})
		return clientsOf(t, s), s.Cut
	}, false},
	{"stopped", true, func(t *testing.T) ([]space.Space, func()) {
		s := Server(t, ServerConfig{})
		return clientsOf(t, s), func() { s.Stop(); s.Start() }
	}, false},
	{"killed", true, func(t *testing.T) ([]space.Space, func()) {
		s := Server(t, ServerConfig{Process: true})
		return clientsOf(t, s), func() { s.Kill(); s.Start() }
	}, false},
	{"cut in partitions", false, func(t *testing.T) ([]space.Space, func()) {
		s := Server(t, ServerConfig{})
		return partedOf(t, s), s.Cut
	}, true},
}

// partedOf returns a space of three partitions as three clients of a server have it.
func partedOf(t *testing.T, s *ServerHandle) []space.Space {
	return []space.Space{s.DialParted(t, 3), s.DialParted(t, 3), s.DialParted(t, 3)}
}

// clientsOf returns three clients of a server.
func clientsOf(t *testing.T, s *ServerHandle) []space.Space {
	return []space.Space{s.Dial(t), s.Dial(t), s.Dial(t)}
}
