package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gospaces/gospaces/client"
)

func (a *app) statusCommand() *cobra.Command {
	var l listing
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Print what the server says about itself: spaces, their entries, log, mirror",
		Long: `Print what the server says about itself: spaces, their entries, log, mirror. A node of a cluster tells of the
replicas that it has; ` + "`gospaces cluster status`" + ` tells of the others.

On a terminal that is a table, and below it a line for each thing that is wrong. Elsewhere, and with --json, it
is one JSON object with everything.`,
		Example: "  gospaces status\n  gospaces status --json | jq '.spaces[].entries'",
		Args:    noOperands,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withNode(cmd.Context(), func(c *client.NodeClient) error {
				status, err := c.Status(cmd.Context())
				if err != nil {
					return err
				}
				if l.isTable(a.stdout) {
					return a.printStatus(&l, status)
				}
				_, err = fmt.Fprintf(a.stdout, "%s\n", status)
				return err
			})
		},
	}
	l.add(cmd)
	return cmd
}

// status is the part of a server's status that the table shows.
type status struct {
	PID         int         `json:"pid"`
	Uptime      string      `json:"uptime"`
	Durability  string      `json:"durability"`
	RSS         int64       `json:"rss_bytes"`
	Connections int         `json:"connections"`
	Sessions    int         `json:"sessions"`
	Memory      *memoryLine `json:"memory"`
	Spaces      []spaceLine `json:"spaces"`
	Cluster     *struct {
		Name string `json:"name"`
		Node string `json:"node"`
	} `json:"cluster"`
}

type memoryLine struct {
	Limit int64  `json:"limit_bytes"`
	Used  int64  `json:"used_bytes"`
	State string `json:"state"`
}

type spaceLine struct {
	Name      string `json:"name"`
	Partition int    `json:"partition"`
	Role      string `json:"role"`
	Terms     int    `json:"terms"` // how often the replica has become the primary
	Entries   struct {
		Ready   int `json:"ready"`
		Held    int `json:"held"`
		Delayed int `json:"delayed"`
	} `json:"entries"`
	Kinds         int    `json:"kinds"`
	Waiting       int    `json:"waiting"`
	Registrations int    `json:"registrations"`
	Txns          int    `json:"transactions"`
	Error         string `json:"error"`
	Throttle      string `json:"throttle"`
	Waits         string `json:"waits"`
	Log           struct {
		Bytes int64  `json:"bytes"`
		Error string `json:"error"`
	} `json:"log"`
	Mirror     *mirrorLine `json:"mirror"`
	Partitions []spaceLine `json:"partitions"`
}

type mirrorLine struct {
	Connected   bool     `json:"connected"`
	LagRecords  uint64   `json:"lag_records"`
	DeadLetters int      `json:"dead_letters"`
	Incomplete  []string `json:"incomplete_tables"`
	Waiting     bool     `json:"waiting_for_connection"`
	LastError   string   `json:"last_error"`
	Stopped     bool     `json:"stopped"`
	Blocked     *struct {
		PID   int    `json:"pid"`
		User  string `json:"user"`
		Query string `json:"query"`
	} `json:"blocked_by"`
}

// printStatus prints a status as a table.
func (a *app) printStatus(l *listing, text []byte) error {
	var s status
	if err := json.Unmarshal(text, &s); err != nil {
		return fmt.Errorf("the server's status: %w", err)
	}
	fmt.Fprintf(a.stdout, "server      up %s, pid %d, durability %s\n", s.Uptime, s.PID, s.Durability)
	if s.Cluster != nil {
		fmt.Fprintf(a.stdout, "node        %s of cluster %s\n", s.Cluster.Node, s.Cluster.Name)
	}
	if s.Memory != nil {
		fmt.Fprintf(a.stdout, "memory      %s of %s in use: %s\n", size(s.Memory.Used), size(s.Memory.Limit), s.Memory.State)
	}
	fmt.Fprintf(a.stdout, "clients     %d, %s\n\n", s.Sessions, count(s.Connections, "connection"))
	lines, headings := s.Spaces, "SPACE READY HELD DELAYED KINDS WAITING REGISTRATIONS TXNS LOG MIRROR"
	if s.Cluster != nil {
		lines, headings = replicas(s.Spaces), strings.Replace(headings, "SPACE", "SPACE ROLE", 1)
	}
	err := printRows(a, l, headings, lines, func(sp spaceLine) []any {
		cells := []any{
			sp.Name, sp.Entries.Ready, sp.Entries.Held, sp.Entries.Delayed, sp.Kinds, sp.Waiting, sp.Registrations, sp.Txns,
			size(sp.Log.Bytes), sp.Mirror.state(),
		}
		if s.Cluster != nil {
			cells = slices.Insert(cells, 1, any(sp.Role))
		}
		return cells
	})
	for _, s := range lines {
		for _, trouble := range s.troubles() {
			fmt.Fprintf(a.stdout, "\n%s: %s\n", s.Name, trouble)
		}
	}
	return err
}

// replicas returns the replicas of a node, those of a space of several partitions one by one.
func replicas(spaces []spaceLine) (all []spaceLine) {
	for _, s := range spaces {
		if len(s.Partitions) > 0 {
			for _, p := range s.Partitions {
				p.Name = fmt.Sprintf("%s/%d", s.Name, p.Partition)
				all = append(all, p)
			}
		} else {
			all = append(all, s)
		}
	}
	return all
}

// state describes the state of the mirror in a word or two; "" if there is none.
func (m *mirrorLine) state() string {
	switch {
	case m == nil:
		return ""
	case m.Stopped:
		return "stopped"
	case m.Blocked != nil:
		return "blocked"
	case !m.Connected && m.Waiting:
		return "waiting"
	case !m.Connected && m.LagRecords > 0:
		return fmt.Sprintf("away, %d behind", m.LagRecords)
	case m.LagRecords > 0:
		return fmt.Sprintf("%d behind", m.LagRecords)
	}
	return "current"
}

// troubles returns one line for each problem of a space.
func (s *spaceLine) troubles() (all []string) {
	for _, t := range [][2]string{
		{"calls fail: ", s.Error},
		{"calls wait: ", s.Waits},
		{"changes wait or fail: ", s.Throttle},
		{"log: ", s.Log.Error},
	} {
		if t[1] != "" {
			all = append(all, t[0]+oneLine(t[1]))
		}
	}
	m := s.Mirror
	if m == nil {
		return all
	}
	if m.LastError != "" && (m.Stopped || !m.Connected || m.LagRecords > 0) {
		all = append(all, "mirror: "+oneLine(m.LastError))
	}
	if b := m.Blocked; b != nil {
		all = append(all,
			fmt.Sprintf("mirror: blocked by pid %d of the database (user %s): %s", b.PID, b.User, oneLine(b.Query)))
	}
	if m.DeadLetters > 0 {
		all = append(all, fmt.Sprintf("mirror: %s: gospaces deadletters list", count(m.DeadLetters, "dead letter")))
	}
	if len(m.Incomplete) > 0 {
		all = append(all, "mirror: incomplete tables: "+strings.Join(m.Incomplete, ", "))
	}
	return all
}
