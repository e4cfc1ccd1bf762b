package main

import (
	"cmp"
	"fmt"
	"strings"
)

// clusterStatus is the part of what a node says of its cluster that the tables show.
type clusterStatus struct {
	Name       string          `json:"name"`
	Node       string          `json:"node"`
	JetStream  string          `json:"jetstream"`
	Control    partitionLine   `json:"control"`
	Nodes      []memberLine    `json:"nodes"`
	Partitions []partitionLine `json:"partitions"`
}

type memberLine struct {
	Name    string `json:"name"`
	Addr    string `json:"addr"`
	Zone    string `json:"zone"`
	Alive   bool   `json:"alive"`
	Leads   int    `json:"leads"`
	Has     int    `json:"replicas"`
	Drained bool   `json:"drained"`
	Version string `json:"version"`

	Unheard []string `json:"does_not_hear"`
}

type partitionLine struct {
	Space     string        `json:"space"`
	Partition int           `json:"partition"`
	Primary   string        `json:"primary"`
	Epoch     uint64        `json:"epoch"`
	Why       string        `json:"why"`
	Minority  bool          `json:"no_majority"`
	Filling   bool          `json:"filling"`
	Target    []string      `json:"target"`
	Awaits    string        `json:"awaits"`
	Replicas  []replicaLine `json:"replicas"`
}

type replicaLine struct {
	Node     string `json:"node"`
	Alive    bool   `json:"alive"`
	Able     bool   `json:"able"`
	Why      string `json:"why"`
	Position uint64 `json:"position"`
	Lag      uint64 `json:"lag"`
}

// print prints the status as tables.
func (st *clusterStatus) print(a *app, l *listing) error {
	fmt.Fprintf(a.stdout, "cluster     %s, as node %s sees it\n", st.Name, st.Node)
	fmt.Fprintf(a.stdout, "control     led by %s\n\n", cmp.Or(st.Control.Primary, "no node"))
	if err := printRows(a, l, "NODE ADDRESS ZONE STATE LEADS REPLICAS VERSION", st.Nodes, memberLine.cells); err != nil {
		return err
	}
	fmt.Fprintln(a.stdout)
	err := printRows(a, l, "SPACE PARTITION PRIMARY EPOCH FOLLOWERS", st.Partitions, func(p partitionLine) []any {
		return []any{p.Space, p.Partition, p.Primary, p.Epoch, strings.Join(st.followers(&p), ", ")}
	})
	for i, w := range st.wrong() {
		fmt.Fprintf(a.stdout, "%s%s\n", strings.Repeat("\n", max(0, 1-i)), w)
	}
	return err
}

func (n memberLine) cells() []any {
	state := "alive"
	switch {
	case !n.Alive:
		state = "silent"
	case n.Drained:
		state = "drained"
	}
	return []any{n.Name, n.Addr, n.Zone, state, n.Leads, n.Has, n.Version}
}

// followers says how the followers of a partition are, and where it moves to.
func (st *clusterStatus) followers(p *partitionLine) (all []string) {
	for _, r := range p.Replicas {
		switch {
		case r.Node == p.Primary:
		case !r.Alive:
			all = append(all, r.Node+" (silent)")
		case !st.isReady(&r):
			all = append(all, r.Node+" (not ready)")
		case r.Lag > 0:
			all = append(all, fmt.Sprintf("%s (%d behind)", r.Node, r.Lag))
		default:
			all = append(all, r.Node)
		}
	}
	if len(p.Target) > 0 {
		all = append(all, p.move())
	}
	return all
}

// move says where a partition moves to, and what that waits for.
func (p *partitionLine) move() string {
	text := "moves to " + strings.Join(p.Target, ", ")
	if p.Awaits != "" {
		text += " (waits for " + packages.ReplaceAllString(oneLine(p.Awaits), "$1") + ")"
	}
	return text
}

// isReady reports whether a replica of a living node could lead, if that node were to lead anything.
func (st *clusterStatus) isReady(r *replicaLine) bool {
	return r.Able || st.isDrained(r.Node)
}

// wrong returns a line for each thing that is wrong.
func (st *clusterStatus) wrong() (wrong []string) {
	for _, n := range st.Nodes {
		if !n.Alive {
			wrong = append(wrong, "node "+n.Name+" is silent")
		}
		if len(n.Unheard) > 0 {
			wrong = append(wrong, fmt.Sprintf("node %s does not hear %s, which others hear: "+
				"check the network between them", n.Name, strings.Join(n.Unheard, ", ")))
		}
	}
	if st.JetStream == "" {
		wrong = append(wrong, "no node leads JetStream's group: spaces can be neither made nor dropped")
	}
	if st.Control.Why != "" {
		wrong = append(wrong, "spaces can be neither made nor moved: "+st.Control.Why)
	}
	for _, p := range st.Partitions {
		at := fmt.Sprintf("%s/%d", p.Space, p.Partition)
		switch {
		case p.Primary == "":
			wrong = append(wrong, fmt.Sprintf("no node serves %s: %s", at, p.Why))
		case p.Why != "":
			wrong = append(wrong, fmt.Sprintf("changes of %s, which %s leads, wait: %s", at, p.Primary, p.Why))
		}
		for _, r := range p.Replicas {
			if r.Alive && !p.Filling && !st.isReady(&r) {
				wrong = append(wrong,
					fmt.Sprintf("the replica of %s at %s is not ready: %s",
						at, r.Node, packages.ReplaceAllString(oneLine(r.Why), "$1")))
			}
		}
	}
	return wrong
}
