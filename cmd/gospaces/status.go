package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gospaces/gospaces/client"
)

func (a *app) statusCommand() *cobra.Command {
	var l listing
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Print what the server says about itself: spaces, their entries, log, mirror",
		Long: `Print what the server says about itself: spaces, their entries, log, mirror.

On a terminal that is a table, and below it a line for each thing that is wrong. Elsewhere, and with --json, it
is one JSON object with everything.`,
		Example: "  gospaces status\n  gospaces status --json | jq '.spaces[].entries'",
		Args:    noOperands,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withClient(cmd.Context(), func(c *client.Client) error {
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
}

type memoryLine struct {
	Limit int64  `json:"limit_bytes"`
	Used  int64  `json:"used_bytes"`
	State string `json:"state"`
}

type spaceLine struct {
	Name    string `json:"name"`
	Entries struct {
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
	Log           struct {
		Bytes int64  `json:"bytes"`
		Error string `json:"error"`
	} `json:"log"`
	Mirror *mirrorLine `json:"mirror"`
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
	if s.Memory != nil {
		fmt.Fprintf(a.stdout, "memory      %s of %s in use: %s\n", size(s.Memory.Used), size(s.Memory.Limit), s.Memory.State)
	}
	fmt.Fprintf(a.stdout, "clients     %d, %s\n\n", s.Sessions, count(s.Connections, "connection"))
	err := printRows(a, l, "SPACE READY HELD DELAYED KINDS WAITING REGISTRATIONS TXNS LOG MIRROR", s.Spaces,
		func(s spaceLine) []any {
			return []any{
				s.Name, s.Entries.Ready, s.Entries.Held, s.Entries.Delayed, s.Kinds, s.Waiting, s.Registrations, s.Txns,
				size(s.Log.Bytes), s.Mirror.state(),
			}
		})
	for _, s := range s.Spaces {
		for _, trouble := range s.troubles() {
			fmt.Fprintf(a.stdout, "\n%s: %s\n", s.Name, trouble)
		}
	}
	return err
}

// state says in a word or two how the mirror is; "" if there is none.
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
	for _, t := range [][2]string{{"calls fail: ", s.Error}, {"changes wait or fail: ", s.Throttle}, {"log: ", s.Log.Error}} {
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
