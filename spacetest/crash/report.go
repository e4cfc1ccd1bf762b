//go:build linux

package crash

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Report summarizes a campaign. Its methods may be called concurrently.
type Report struct {
	began   time.Time
	planned time.Duration
	seed    uint64

	rounds, calls, unknown, jobs, events atomic.Int64
	items                                atomic.Int64 // in the spaces at the last rest
	snapshots, rebases, damaged, starts  atomic.Int64
	checks                               atomic.Int64
	slowest                              atomic.Int64 // start of the server, in nanoseconds
	findings                             atomic.Int64
	whole                                atomic.Int64 // longest time until all nodes were up after a round, in nanoseconds
	mu                                   sync.Mutex
	disturbances                         map[string]int  // guarded by mu
	pauses                               []time.Duration // guarded by mu; of all rounds
	longest                              time.Duration   // guarded by mu; of the latest round
}

func newReport(cfg Config) *Report {
	return &Report{began: time.Now(), planned: cfg.Time, seed: cfg.Seed, disturbances: map[string]int{}}
}

func (r *Report) disturbed(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.disturbances[name]++
}

// paused notes the pauses of a round, the longest last.
func (r *Report) paused(pauses []time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pauses, r.longest = append(r.pauses, pauses...), 0
	if n := len(pauses); n > 0 {
		r.longest = pauses[n-1]
	}
}

// round returns the line about a judged round.
func (r *Report) round(disturbances int, calls int64) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return fmt.Sprintf("crash: round %d, seed %d: %d disturbances, %d calls, longest pause %d ms", r.rounds.Load(), r.seed,
		disturbances, calls, r.longest.Milliseconds())
}

// sum returns the number of all disturbances.
func (r *Report) sum() (n int) {
	for _, times := range r.Disturbances() {
		n += times
	}
	return n
}

// Disturbances returns the number of times that each disturbance was done.
func (r *Report) Disturbances() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.disturbances)
}

// Rounds returns the number of rounds judged.
func (r *Report) Rounds() int64 { return r.rounds.Load() }

// Calls returns the number of client calls judged.
func (r *Report) Calls() int64 { return r.calls.Load() }

// show prints the progress every ten seconds until stop is called.
func (r *Report) show(out io.Writer) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(10 * time.Second)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				fmt.Fprintln(out, r.line())
			case <-done:
				return
			}
		}
	}()
	return func() { close(done); <-ended }
}

// line is the progress: disturbances by target.
func (r *Report) line() string {
	byTarget := map[string]int{}
	for name, n := range r.Disturbances() {
		target, _, _ := strings.Cut(name, ":")
		byTarget[target] += n
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(byTarget)) {
		parts = append(parts, fmt.Sprintf("%s %d", name, byTarget[name]))
	}
	return fmt.Sprintf("crash: %v of %v: %d rounds judged, %d checks, %d calls; disturbances: %s; %d MiB",
		time.Since(r.began).Round(time.Second), r.planned, r.rounds.Load(), r.checks.Load(), r.calls.Load(),
		strings.Join(parts, ", "), rss()>>20)
}

// String returns the summary.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "crash: %v, seed %d: %d rounds, %d checks\n",
		time.Since(r.began).Round(time.Second), r.seed, r.rounds.Load(), r.checks.Load())
	fmt.Fprintf(&b, "  %d calls judged (%d of unknown outcome), %d jobs done, %d events; %d entries in the end\n",
		r.calls.Load(), r.unknown.Load(), r.jobs.Load(), r.events.Load(), r.items.Load())
	fmt.Fprintf(&b,
		"  %d starts of the server, the slowest took %v; %d snapshots, of which we damaged %d; "+
			"the mirror went on from a snapshot %d times\n",
		r.starts.Load(), time.Duration(r.slowest.Load()).Round(time.Millisecond),
		r.snapshots.Load(), r.damaged.Load(), r.rebases.Load())
	r.mu.Lock()
	all := slices.Sorted(slices.Values(r.pauses))
	r.mu.Unlock()
	if len(all) > 0 {
		fmt.Fprintf(&b, "  %d pauses of %v or more: median %d ms, worst %d ms; all nodes were up after at most %v\n",
			len(all),
			aPause, all[len(all)/2].Milliseconds(), all[len(all)-1].Milliseconds(),
			time.Duration(r.whole.Load()).Round(time.Millisecond))
	}
	fmt.Fprintf(&b, "  %d disturbances, %d findings\n", r.sum(), r.findings.Load())
	counts := r.Disturbances()
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(&b, "  %6d  %s\n", counts[name], name)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// rss returns the memory of this process in bytes.
func rss() int64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, resident int64
	_, _ = fmt.Sscan(string(b), &size, &resident)
	return resident * int64(os.Getpagesize())
}
