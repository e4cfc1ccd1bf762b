package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// durability says what an acknowledgement survives.
type durability string

const (
	logged durability = "logged" // no fsync for each call: a loss of power takes the last moment
	synced durability = "synced" // survives a loss of power
)

func (d durability) String() string { return string(d) }

// result is what a way of a peer has come to in one workload.
type result struct {
	Durability durability `json:"durability"`
	Guarantee  guarantee  `json:"guarantee"`
	Workload   string     `json:"workload"`
	Peer       string     `json:"peer"`
	Way        string     `json:"way"`
	Rates      []float64  `json:"jobs_per_s"` // of the rounds
	Median     float64    `json:"median"`
	Ratio      float64    `json:"ratio"` // to the best other server with the same durability, guarantee and workload
}

// contestant is a way of a peer that is running.
type contestant struct {
	peer  string
	queue queue
	way   way
}

// measure returns what was measured until an error, such as a lost job.
func measure(ctx context.Context, o *options) (results []result, err error) {
	for _, d := range o.durability {
		some, err := measureAt(ctx, o, d)
		results = append(results, some...)
		if err != nil {
			return results, err
		}
	}
	return results, nil
}

// measureAt starts all servers that are installed, and measures each workload with one after the other, round by round.
func measureAt(ctx context.Context, o *options, d durability) (results []result, err error) {
	var field []contestant
	for _, p := range o.peers {
		program, ok := find(p.program)
		if !ok {
			fmt.Fprintf(o.progress, "%s is skipped: there is no %s; install it: %s\n", p.name, p.program, p.install)
			continue
		}
		s, q, startErr := launch(ctx, p, program, d)
		if startErr != nil {
			return nil, fmt.Errorf("%s: %w", p.name, startErr)
		}
		defer func() {
			q.close()
			err = errors.Join(err, s.stop())
		}()
		for _, w := range q.ways() {
			field = append(field, contestant{p.name, q, w})
		}
	}
	for _, w := range o.workloads {
		some, err := measureWorkload(ctx, o, d, w, field)
		results = append(results, some...)
		if err != nil {
			return results, err
		}
	}
	return results, nil
}

func launch(ctx context.Context, p peer, program string, d durability) (*server, queue, error) {
	s, err := newServer(program, d == synced)
	if err != nil {
		return nil, nil, err
	}
	q, err := p.start(ctx, s)
	if err != nil {
		return nil, nil, errors.Join(err, s.stop())
	}
	return s, q, nil
}

func measureWorkload(ctx context.Context, o *options, d durability, w workload, field []contestant) ([]result, error) {
	var results []result
	field = slices.DeleteFunc(slices.Clone(field), func(c contestant) bool { return !w.fits(c.queue, c.way) })
	for _, c := range field {
		results = append(results, result{
			Durability: d, Guarantee: c.way.guarantee, Workload: w.name, Peer: c.peer, Way: c.way.name,
		})
	}
	for round := range o.rounds + 1 {
		for i, c := range field {
			rate, err := w.measure(ctx, c.queue, c.way, o.duration)
			if err != nil {
				return nil, fmt.Errorf("%s, %s: %s (%s): %w", d, w.name, c.peer, c.way.name, err)
			}
			if round == 0 {
				continue // warms up: clients open their connections
			}
			results[i].Rates = append(results[i].Rates, rate)
			fmt.Fprintf(o.progress, "%s, %s, round %d: %s (%s): %.0f/s\n", d, w.name, round, c.peer, c.way.name, rate)
		}
	}
	for i := range results {
		results[i].Median = median(results[i].Rates)
	}
	return results, nil
}

func median(rates []float64) float64 {
	sorted := slices.Sorted(slices.Values(rates))
	return (sorted[len(sorted)/2] + sorted[(len(sorted)-1)/2]) / 2
}

// relate sets the ratios of results.
func relate(results []result) {
	type class struct {
		durability durability
		guarantee  guarantee
		workload   string
	}
	best := map[class]float64{} // of all servers but ours
	for _, r := range results {
		if c := (class{r.Durability, r.Guarantee, r.Workload}); r.Peer != ours {
			best[c] = max(best[c], r.Median)
		}
	}
	for i, r := range results {
		if b := best[class{r.Durability, r.Guarantee, r.Workload}]; b > 0 {
			results[i].Ratio = r.Median / b
		}
	}
}
