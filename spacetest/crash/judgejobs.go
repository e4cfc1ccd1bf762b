package crash

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gospaces/gospaces/spacetest/history"
)

// jobState is the known state of a job.
type jobState uint8

const (
	jobRefused jobState = iota // it must not exist
	jobUnknown                 // it may exist
	jobWritten
)

// jobBook follows the jobs of the campaign: waiting jobs of earlier rounds, and jobs written in this round.
type jobBook struct {
	state map[int]jobState
}

func newJobBook() *jobBook { return &jobBook{map[int]jobState{}} }

// wrote records the calls of writers.
func (b *jobBook) wrote(calls []history.Op) {
	states := map[history.Outcome]jobState{
		history.OK: jobWritten, history.Unknown: jobUnknown,
		history.Refused: jobRefused,
	}
	for _, o := range calls {
		for _, i := range o.Items {
			b.state[i.N] = states[o.Outcome]
		}
	}
}

// judge compares the written jobs with the waiting and the finished ones: each is exactly one of these, once. Waiting
// jobs are carried over to the next round; finished ones must have been removed from the spaces by then.
func (b *jobBook) judge(waiting, finished []int) []error {
	var v violations
	seen := map[int]string{}
	look := func(ns []int, what string) {
		for _, n := range ns {
			before, twice := seen[n]
			state, known := b.state[n]
			switch {
			case !known || state == jobRefused:
				v.add("never written", "job %d %s, and was never written", n, what)
			case twice && before != what:
				v.add("half", "job %d both %s and %s", n, before, what)
			case twice:
				v.add("twice", "job %d %s twice", n, what)
			}
			seen[n] = what
		}
	}
	look(waiting, "waits")
	look(finished, "is done")
	for n, state := range b.state {
		if _, there := seen[n]; !there && state == jobWritten {
			v.add("lost", "job %d was written, and neither waits nor is done", n)
		}
	}
	clear(b.state)
	for _, n := range waiting {
		b.state[n] = jobWritten
	}
	return v.errors
}

// judgeMoment judges the jobs of one moment without a history.
func judgeMoment(waiting, finished []int) error {
	var v violations
	seen := map[int]bool{}
	for _, n := range slices.Concat(waiting, finished) {
		if seen[n] && n != sentinel {
			v.add("twice", "job %d is there twice, or waits and is done", n)
		}
		seen[n] = true
	}
	return errors.Join(v.errors...)
}

// violations collects violations, up to a maximum of each type.
type violations struct {
	errors []error
	times  map[string]int
}

func (v *violations) add(sort, format string, args ...any) {
	if v.times == nil {
		v.times = map[string]int{}
	}
	if v.times[sort]++; v.times[sort] <= 5 {
		v.errors = append(v.errors, fmt.Errorf(format, args...))
	}
}
