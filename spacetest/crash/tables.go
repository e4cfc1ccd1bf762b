//go:build linux

package crash

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/gospaces/gospaces/spacetest/random"
)

// serverStatus is the relevant part of the server's status.
type serverStatus struct {
	Spaces []spaceStatus
}

// spaceStatus is the relevant part of the status of a space.
type spaceStatus struct {
	Name         string
	Role         string        // in a cluster
	Partitions   []spaceStatus // if there are several
	Error        string
	Transactions int
	Prepared     int
	Audits       uint64
	Differed     uint64 `json:"audits_differed"`
	Entries      struct{ Held int }
	Log          struct{ Last uint64 }
	Mirror       struct {
		Connected   bool
		Position    uint64
		LagGroups   uint64   `json:"lag_groups"`
		DeadLetters int      `json:"dead_letters"`
		Incomplete  []string `json:"incomplete_tables"`
		LastError   string   `json:"last_error"`
		Stopped     bool
	}
}

// caughtUp reports whether the mirror has all of the log, and returns an error if it never will.
func (s *serverStatus) caughtUp() (bool, error) {
	all := len(s.Spaces) >= len(spaceNames)
	for _, sp := range s.Spaces {
		m := sp.Mirror
		switch {
		case sp.Error != "":
			return false, fmt.Errorf("space %s: %s", sp.Name, sp.Error)
		case m.Stopped:
			return false, fmt.Errorf("the mirror of space %s has stopped: %s", sp.Name, m.LastError)
		case m.DeadLetters > 0 || len(m.Incomplete) > 0:
			return false, fmt.Errorf("the mirror of space %s has %d dead letters, and lacks rows of %q",
				sp.Name, m.DeadLetters, m.Incomplete)
		}
		all = all && m.Connected && m.LagGroups == 0 && m.Position >= sp.Log.Last
	}
	return all, nil
}

// awaitMirror waits until the mirror has all of the log.
func (r *resting) awaitMirror(ctx context.Context) error {
	for began := time.Now(); ; pause(ctx, 50*time.Millisecond) {
		s, err := r.status(ctx)
		if err != nil {
			return err
		}
		if all, err := s.caughtUp(); all || err != nil {
			return err
		}
		if time.Since(began) > patience {
			return fmt.Errorf("the mirror does not catch up: %+v", s)
		}
	}
}

// status returns what the server says, or what the primaries say of their spaces.
func (r *resting) status(ctx context.Context) (s serverStatus, err error) {
	if r.cluster != nil {
		s.Spaces, err = r.primaries(ctx)
		return s, err
	}
	text, err := r.client.Status(ctx)
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(text, &s)
}

// judgeTables compares tables and spaces.
func (r *resting) judgeTables(ctx context.Context) error {
	if r.db == nil {
		return r.countLog()
	}
	if err := r.awaitMirror(ctx); err != nil {
		return err
	}
	if err := r.countLog(); err != nil {
		return err
	}
	return r.db.with(ctx, func(q *sql.DB) error {
		for i, name := range spaceNames {
			for _, kind := range []string{"item", "done"} {
				table := fmt.Sprintf("space_%s.%s", name, kind)
				rows, err := readTable(ctx, q, table, kind)
				if err != nil {
					return err
				}
				if err := errors.Join(judgeTable(table, r.there.rows[i][kind], rows)...); err != nil {
					return err
				}
			}
		}
		archive, err := readArchive(ctx, q)
		if err != nil {
			return err
		}
		if err := errors.Join(judgeArchive(archive, r.there.jobs, r.there.dones, r.rebased)...); err != nil {
			return err
		}
		_, err = q.ExecContext(ctx, `DELETE FROM space_default.job WHERE _left IS NOT NULL`)
		return err
	})
}

// readTable returns the rows of a table in the form of a survey; none if the table does not exist yet. At rest every
// entry is free, and its row must say so.
func readTable(ctx context.Context, q *sql.DB, table, kind string) ([]row, error) {
	columns := map[string]string{"item": "key, color, n, v, pad", "done": "n, 0, 0, 0, ''"}[kind]
	var rows []row
	err := each(ctx, q, `SELECT _id, _state, `+columns+` FROM `+table, table, func(scan func(...any) error) error {
		var id uint64
		var state string
		var v random.Item
		if err := scan(&id, &state, &v.Key, &v.Color, &v.N, &v.V, &v.Pad); err != nil {
			return err
		}
		text := fmt.Sprint(v)
		if kind == "done" {
			text = fmt.Sprint(done{v.Key})
		}
		if state != "ready" {
			text = state + ": " + text
		}
		rows = append(rows, row{id, text})
		return nil
	})
	return rows, err
}

func readArchive(ctx context.Context, q *sql.DB) ([]filed, error) {
	var all []filed
	err := each(ctx, q, `SELECT n, coalesce(_how, nullif(_state, 'ready'), '') FROM space_default.job WHERE n > 0`,
		"space_default.job", func(scan func(...any) error) error {
			var f filed
			if err := scan(&f.n, &f.how); err != nil {
				return err
			}
			all = append(all, f)
			return nil
		})
	return all, err
}

// each calls fn for the rows of a query, unless the table is missing.
func each(ctx context.Context, q *sql.DB, query, table string, fn func(scan func(...any) error) error) error {
	var exists bool
	if err := q.QueryRowContext(ctx, `SELECT to_regclass($1) IS NOT NULL`, table).Scan(&exists); err != nil || !exists {
		return err
	}
	rows, err := q.QueryContext(ctx, query)
	if err != nil {
		return fmt.Errorf("read table %s: %w", table, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := fn(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// countLog counts events in the logs of the servers.
func (r *resting) countLog() error {
	for _, srv := range r.servers() {
		counts, err := srv.count("msg=snapshot ", "msg=mirror_refilled ", "msg=mirror_refilling ")
		if err != nil {
			return err
		}
		r.rebased = r.rebased || counts[2] > 0 // begun: who is killed then may have done it
		r.report.snapshots.Add(int64(counts[0]))
		r.report.rebases.Add(int64(counts[1]))
		srv.mu.Lock()
		r.report.slowest.Store(max(r.report.slowest.Load(), int64(srv.slowest)))
		r.report.starts.Add(int64(srv.starts))
		srv.starts = 0
		srv.mu.Unlock()
	}
	r.report.damaged.Store(int64(len(r.damaged)))
	return nil
}
