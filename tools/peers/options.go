package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"
)

// options say what to measure.
type options struct {
	peers      []peer
	workloads  []workload
	durability []durability
	rounds     int
	duration   time.Duration // of one measurement
	file       string        // for all figures; "": none
	progress   io.Writer
}

// parse returns the options that args select. It returns flag.ErrHelp after it has printed the help.
func parse(args []string, progress io.Writer) (*options, error) {
	o := &options{progress: progress}
	flags := flag.NewFlagSet("peers", flag.ContinueOnError)
	flags.SetOutput(progress)
	peerNames := flags.String("peers", all(peers()), "servers to measure")
	workloadNames := flags.String("workloads", all(workloads()), "what to measure")
	levels := flags.String("durability", all(durabilities()),
		"logged: no fsync for each call; synced: what is acknowledged survives a loss of power")
	flags.IntVar(&o.rounds, "rounds", 3, "how often each is measured; the median counts")
	flags.DurationVar(&o.duration, "duration", time.Second, "of one measurement")
	flags.StringVar(&o.file, "json", "", "file for all figures")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	var errs [3]error
	o.peers, errs[0] = choose("peer", peers(), *peerNames)
	o.workloads, errs[1] = choose("workload", workloads(), *workloadNames)
	o.durability, errs[2] = choose("durability", durabilities(), *levels)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	if o.rounds < 1 || o.duration <= 0 || flags.NArg() > 0 {
		return nil, errors.New("--rounds and --duration are positive, and there are no arguments")
	}
	return o, nil
}

func durabilities() []durability { return []durability{logged, synced} }

// all returns the names of things, by commas.
func all[T fmt.Stringer](things []T) string {
	names := make([]string, len(things))
	for i, t := range things {
		names[i] = t.String()
	}
	return strings.Join(names, ",")
}

// choose returns the things that have the names, in their own order.
func choose[T fmt.Stringer](what string, things []T, names string) ([]T, error) {
	wanted := map[string]bool{}
	for _, name := range strings.Split(names, ",") {
		wanted[name] = true
	}
	var chosen []T
	for _, t := range things {
		if wanted[t.String()] {
			chosen = append(chosen, t)
			delete(wanted, t.String())
		}
	}
	for name := range wanted {
		return nil, fmt.Errorf("there is no %s %q; there are %s", what, name, all(things))
	}
	return chosen, nil
}
