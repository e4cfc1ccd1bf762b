package engine

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
)

// These tests check the tables of the specification cell by cell.

// TestLocks_WhoMayHaveWhat is the table of what is granted, by caller and by state of the entry.
func TestLocks_WhoMayHaveWhat(t *testing.T) {
	t.Parallel()
	// The columns are the callers that ask for the stone of age 1. A is the holder, B another transaction.
	type cell struct {
		want result
		then condition // state of the stone for others afterwards
	}
	columns := []string{"A reads", "A takes", "B reads", "B takes", "tx0 reads", "tx0 takes"}
	rows := []struct {
		state string
		given func(s *scene, a, b uint64)
		cells []cell
	}{
		{
			"free",
			func(s *scene, a, b uint64) { s.write(tx0, 1) },
			[]cell{{ok, readLocked}, {ok, hidden}, {ok, readLocked}, {ok, hidden}, {ok, isFree}, {ok, gone}},
		},
		{
			"read-locked by A",
			func(s *scene, a, b uint64) { s.write(tx0, 1); s.find(read(a)) },
			[]cell{
				{ok, readLocked},
				{ok, hidden},
				{ok, readLocked},
				{conflict, readLocked},
				{ok, readLocked},
				{conflict, readLocked},
			},
		},
		{
			"read-locked by A and C",
			func(s *scene, a, b uint64) { s.write(tx0, 1); s.find(read(a)); s.find(read(s.begin())) },
			[]cell{
				{ok, readLocked},
				{conflict, readLocked},
				{ok, readLocked},
				{conflict, readLocked},
				{ok, readLocked},
				{conflict, readLocked},
			},
		},
		{
			"written by A",
			func(s *scene, a, b uint64) { s.write(a, 1) },
			[]cell{{ok, hidden}, {ok, gone}, {conflict, hidden}, {conflict, hidden}, {conflict, hidden}, {conflict, hidden}},
		},
		{
			"changed by A",
			func(s *scene, a, b uint64) {
				id := s.write(tx0, 1)
				require.NoError(s.t, s.e.Update(s.now, under(a), call.Request{}, call.Change{ID: id, Row: stoneRow(1)}).Err)
			},
			[]cell{{ok, hidden}, {ok, hidden}, {conflict, hidden}, {conflict, hidden}, {conflict, hidden}, {conflict, hidden}},
		},
		{
			"taken by A",
			func(s *scene, a, b uint64) { s.write(tx0, 1); s.find(take(a)) },
			[]cell{
				{none, hidden},
				{none, hidden},
				{conflict, hidden},
				{conflict, hidden},
				{conflict, hidden},
				{conflict, hidden},
			},
		},
		{
			"written and taken by A",
			func(s *scene, a, b uint64) { s.write(a, 1); s.find(take(a)) },
			[]cell{{none, gone}, {none, gone}, {none, gone}, {none, gone}, {none, gone}, {none, gone}},
		},
	}
	for _, row := range rows {
		for i, c := range row.cells {
			t.Run(row.state+"/"+columns[i], func(t *testing.T) {
				t.Parallel()
				s := newScene(t)
				a, b := s.begin(), s.begin()
				row.given(s, a, b)
				who := []uint64{a, a, b, b, tx0, tx0}[i]
				q := read(who, 1)
				if i%2 == 1 {
					q = take(who, 1)
				}
				require.Equal(t, c.want, s.find(q))
				require.Equal(t, c.then, s.state(1))
			})
		}
	}
}

// TestLocks_WhatTheEndOfATransactionDoes is the table of what happens to an entry at commit and abort.
func TestLocks_WhatTheEndOfATransactionDoes(t *testing.T) {
	t.Parallel()
	all := []call.EventType{
		call.Written, call.Taken, call.Expired, call.Cancelled, call.Renewed, call.Updated,
		call.Available, call.Visible,
	}
	ends := []struct {
		name string
		end  func(s *scene, a uint64)
	}{
		{"commit", func(s *scene, a uint64) { s.commit(a) }},
		{"abort", func(s *scene, a uint64) { s.abort(a) }},
		{"cancel", func(s *scene, a uint64) { s.cancel(a) }},
		{"lease ends", func(s *scene, a uint64) { s.pass(2 * second) }},
	}
	type result struct {
		then   condition
		events []event
		read   bool // it serves a waiting read
		take   bool // it serves a waiting take
	}
	rows := []struct {
		what          string
		do            func(s *scene, a uint64)
		commit, abort result
	}{
		{
			"read",
			func(s *scene, a uint64) { s.write(tx0, 1); s.find(read(a)) },
			result{isFree, []event{{call.Available, 1}}, false, true},
			result{isFree, []event{{call.Available, 1}}, false, true},
		},
		{
			"written",
			func(s *scene, a uint64) { s.write(a, 1) },
			result{isFree, []event{{call.Written, 1}, {call.Available, 1}, {call.Visible, 1}}, true, true},
			result{gone, nil, false, false},
		},
		{
			"taken",
			func(s *scene, a uint64) { s.write(tx0, 1); s.find(take(a)) },
			result{gone, []event{{call.Taken, 1}}, false, false},
			result{isFree, []event{{call.Available, 1}, {call.Visible, 1}}, true, true},
		},
		{
			"read, then taken",
			func(s *scene, a uint64) { s.write(tx0, 1); s.find(read(a)); s.find(take(a)) },
			result{gone, []event{{call.Taken, 1}}, false, false},
			result{isFree, []event{{call.Available, 1}, {call.Visible, 1}}, true, true},
		},
		{
			"written and taken",
			func(s *scene, a uint64) { s.write(a, 1); s.find(take(a)) },
			result{then: gone},
			result{then: gone},
		},
	}
	for _, end := range ends {
		for _, row := range rows {
			want := row.abort
			if end.name == "commit" {
				want = row.commit
			}
			given := func(t *testing.T) (*scene, uint64) {
				t.Parallel()
				s := newScene(t)
				a := s.beginFor(second)
				row.do(s, a)
				return s, a
			}
			name := fmt.Sprintf("%s/%s/", end.name, row.what)
			t.Run(name+"state and events", func(t *testing.T) {
				s, a := given(t)
				registrations := s.notify(tx0, all...)
				end.end(s, a)
				s.requireEvents(registrations, want.events...)
				require.Equal(t, want.then, s.state(1))
				require.Equal(t, ended, s.find(read(a)))
			})
			waits := func(q *call.Query, served bool) func(t *testing.T) {
				return func(t *testing.T) {
					s, a := given(t)
					if s.find(&call.Query{Templates: q.Templates, Max: 1}) == ok && !q.Take {
						return // a read that finds it does not wait
					}
					w := s.wait(q)
					end.end(s, a)
					if served {
						s.requireServed(w, 1)
					} else {
						s.requireWaiting(w)
					}
				}
			}
			t.Run(name+"waiting read", waits(read(tx0), want.read))
			t.Run(name+"waiting take", waits(take(tx0), want.take))
		}
	}
}

// TestWaiting_WhatACallWaitsFor is the table of section 4.
func TestWaiting_WhatACallWaitsFor(t *testing.T) {
	t.Parallel()
	type result string
	const (
		now    result = "now"
		none   result = "none"
		waits  result = "waits"
		atOnce result = "none at once"
	)
	situations := []struct {
		name  string
		given func(s *scene)
	}{
		{"no match", func(*scene) {}},
		{"every match is taken by another", func(s *scene) { s.write(tx0, 1); s.find(take(s.begin())) }},
		{"every match is written by another", func(s *scene) { s.write(s.begin(), 1) }},
		{"a free match", func(s *scene) { s.write(tx0, 1) }},
	}
	rows := []struct {
		ifExists, wait bool
		want           []result
	}{
		{false, true, []result{waits, waits, waits, now}},
		{true, true, []result{atOnce, waits, waits, now}},
		{false, false, []result{none, none, none, now}},
		{true, false, []result{none, none, none, now}},
	}
	for _, row := range rows {
		for i, situation := range situations {
			for _, takes := range []bool{false, true} {
				for _, underTxn := range []bool{false, true} {
					name := fmt.Sprintf("%s/take=%t/ifExists=%t/wait=%t/txn=%t",
						situation.name, takes, row.ifExists, row.wait, underTxn)
					t.Run(name, func(t *testing.T) {
						t.Parallel()
						s := newScene(t)
						situation.given(s)
						q := read(tx0)
						if underTxn {
							q.Txn = under(s.begin())
						}
						q.Take, q.IfExists = takes, row.ifExists
						r := s.e.Find(s.now, q)
						if row.want[i] == now {
							require.NoError(t, r.Err)
							return
						}
						require.ErrorIs(t, r.Err, call.ErrNoMatch)
						if row.wait {
							require.Equal(t, row.want[i] == waits, s.e.Park(q, nil) != nil)
						}
					})
				}
			}
		}
	}
}
