// Package bench measures a server as its users see it: through the client, over TCP, with many callers.
//
// Machines differ and are noisy, so compare every figure with echo in the same run: a call that does nothing, through
// the same client and server.
package bench

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/gospaces/gospaces/client"
)

// Options select what is measured. The zero value measures everything on servers that Run starts.
type Options struct {
	Addr       string        // of a running server; "": one is started for each durability level, on a temporary folder
	Program    string        // the gospaces program to start; required without Addr
	Durability []string      // levels of the servers that are started; empty: logged
	Workloads  []string      // empty: all of Workloads
	Callers    []int         // empty: 1, 4, 8, 16, 64, 256
	Conns      []int         // empty: 1, 4
	Duration   time.Duration // of one measurement; 0: 3 s
	Payload    int           // bytes; 0: 100
	Backlog    int           // entries of the workload backlog, and the most that match begins with; 0: a million
	Partitions int           // of the space; 0: 1, or what a running server has
	// on Linux, started servers and the callers get one half of the processors each; otherwise they share all
	Apart bool
	Out   io.Writer // receives the table, line by line
	Log   io.Writer // receives the log of started servers
}

// Check validates the options, as Run does.
func (o Options) Check() error { return o.setDefaults() }

func (o *Options) setDefaults() error {
	if len(o.Durability) == 0 {
		o.Durability = []string{"logged"}
	}
	if len(o.Workloads) == 0 {
		o.Workloads = Workloads()
	}
	if len(o.Callers) == 0 {
		o.Callers = []int{1, 4, 8, 16, 64, 256}
	}
	if len(o.Conns) == 0 {
		o.Conns = []int{1, 4}
	}
	if o.Duration == 0 {
		o.Duration = 3 * time.Second
	}
	if o.Payload == 0 {
		o.Payload = 100
	}
	if o.Backlog == 0 {
		o.Backlog = 1_000_000
	}
	for _, w := range o.Workloads {
		if !slices.Contains(Workloads(), w) {
			return fmt.Errorf("there is no workload %q; there are %s", w, strings.Join(Workloads(), ", "))
		}
	}
	for _, d := range o.Durability {
		if d != "memory" && d != "logged" && d != "synced" {
			return fmt.Errorf("durability is %q; it is memory, logged or synced", d)
		}
	}
	if o.Partitions < 0 || o.Partitions > 256 {
		return fmt.Errorf("a space of %d partitions; it has 1 to 256", o.Partitions)
	}
	if o.Payload < 0 || o.Backlog < 1 || o.Duration < 0 || slices.Min(o.Callers) < 1 || slices.Min(o.Conns) < 1 {
		return errors.New("numbers of callers, connections, entries and bytes, and the duration, are positive")
	}
	return nil
}

// callersGC is the GOGC setting of the callers. Their heap is tiny, and would be collected a hundred times a second,
// unlike that of a program with some memory of its own.
const callersGC = 800

// Result is one measurement.
type Result struct {
	Workload   string  `json:"workload"`
	Callers    int     `json:"callers"`
	Conns      int     `json:"conns"`
	Durability string  `json:"durability"`
	Ops        float64 `json:"ops_per_s"`
	P50        float64 `json:"p50_us"`
	P99        float64 `json:"p99_us"`
	P999       float64 `json:"p999_us"`
	CPU        float64 `json:"cpu_us_per_op"`    // of client and server
	RSS        int64   `json:"server_rss_bytes"` // after the measurement
	Echo       float64 `json:"echo_ratio,omitempty"`
}

// Run runs the measurements of o and returns the results in order. It returns ctx's error when ctx ends.
func Run(ctx context.Context, o Options) ([]Result, error) {
	if err := o.setDefaults(); err != nil {
		return nil, err
	}
	defer debug.SetGCPercent(debug.SetGCPercent(callersGC))
	if o.Addr != "" {
		return measureServer(ctx, &o, o.Addr)
	}
	return measureOwn(ctx, &o)
}

// measureOwn runs all measurements on servers that it starts.
func measureOwn(ctx context.Context, o *Options) (all []Result, err error) {
	var h *halves
	if o.Apart {
		if h, err = divide(); err != nil {
			return nil, err
		}
	}
	if err := h.enter(); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, h.leave()) }()
	fmt.Fprintf(o.Out, "%v; the callers collect garbage at GOGC=%d, the server at GOGC=%s\n", h, callersGC,
		cmp.Or(os.Getenv("GOGC"), "100"))
	for _, d := range o.Durability {
		s, err := startServer(ctx, h, o.Program, d, o.Log)
		if err != nil {
			return all, err
		}
		results, err := measureServer(ctx, o, s.addr)
		all = append(all, results...)
		if stopErr := s.stop(); err == nil {
			err = stopErr
		}
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

// measureServer runs all measurements on one server.
func measureServer(ctx context.Context, o *Options, addr string) ([]Result, error) {
	var results []Result
	for _, conns := range o.Conns {
		c, err := client.DialConfig(ctx, client.Config{Addr: addr, Conns: conns, Space: "bench"})
		if err != nil {
			return results, err
		}
		if o.Partitions > 0 {
			if err := c.CreateSpace(ctx, "bench", client.Partitions(o.Partitions)); err != nil {
				c.Close()
				return results, err
			}
		}
		r := &run{o: o, c: c, conns: conns, echo: map[int]float64{}}
		err = r.all(ctx, &results)
		c.Close()
		if err != nil {
			return results, err
		}
	}
	return results, nil
}

// run measures over one client.
type run struct {
	o     *Options
	c     *client.Client
	conns int
	echo  map[int]float64 // ops/s of echo, by number of callers
}

func (r *run) all(ctx context.Context, results *[]Result) error {
	if err := r.drain(ctx); err != nil {
		return err
	}
	fmt.Fprintf(r.o.Out, "%-14s %8s %6s %-8s %11s %9s %9s %9s %8s %9s %6s\n",
		"workload", "callers", "conns", "durable", "ops/s", "p50 µs", "p99 µs", "p99.9 µs", "cpu µs", "rss MiB", "/echo")
	for _, callers := range r.o.Callers {
		for _, name := range r.o.Workloads {
			w := workloads[name]
			if !w.fits(callers) {
				continue
			}
			found, err := w.measure(r, ctx, callers)
			if err != nil {
				return fmt.Errorf("%s with %d callers: %w", name, callers, err)
			}
			for _, res := range found {
				r.print(&res)
				*results = append(*results, res)
			}
			if err := r.drain(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *run) print(res *Result) {
	if res.Workload == "echo" {
		r.echo[res.Callers] = res.Ops
	}
	ratio := "-"
	if e := r.echo[res.Callers]; e > 0 {
		res.Echo = res.Ops / e
		ratio = fmt.Sprintf("%.2f", res.Echo)
	}
	fmt.Fprintf(r.o.Out, "%-14s %8d %6d %-8s %11.0f %9.1f %9.1f %9.1f %8.2f %9.0f %6s\n",
		res.Workload, res.Callers, res.Conns, res.Durability, res.Ops, res.P50, res.P99, res.P999, res.CPU,
		float64(res.RSS)/(1<<20), ratio)
}

// serverStatus is the relevant part of the server's status.
type serverStatus struct {
	Durability string  `json:"durability"`
	RSS        int64   `json:"rss_bytes"`
	CPU        float64 `json:"cpu_seconds"`
}

func (r *run) status(ctx context.Context) (s serverStatus, err error) {
	b, err := r.c.Status(ctx)
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	return s, err
}

// ownCPU returns the processor time that this process has used, in seconds.
func ownCPU() float64 {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // fails only for an invalid argument
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}
