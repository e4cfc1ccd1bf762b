package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/template"
)

// TestScenarios runs the files of testdata/scenarios: the rules of a space, one file per topic of docs/semantics.md, as
// commands and their results. testdata/scenarios/README.md lists the commands. The records of every command are also
// applied to a replica, whose state must be the same.
//
// go test ./internal/engine -run Scenarios -rewrite writes the engine's answers into the files.
func TestScenarios(t *testing.T) {
	datadriven.Walk(t, "testdata/scenarios", func(t *testing.T, path string) {
		if strings.HasSuffix(path, ".md") {
			return
		}
		s := newScenario(t)
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			s.t, s.d = t, d
			out := s.run()
			s.compareReplica()
			return out
		})
	})
}

// scenario is an engine, and the names that a file uses.
type scenario struct {
	t       *testing.T
	d       *datadriven.TestData
	e       *Engine
	replica *Engine
	log     []byte // all records so far
	now     int64
	entries labels
	txns    map[string]uint64 // by name
	waits   map[string]*Waiter
	regs    map[string]uint64
	out     strings.Builder
}

func newScenario(t *testing.T) *scenario {
	return &scenario{
		t: t, e: New(Config{}, 0), replica: New(Config{}, 0), now: int64(time.Second),
		txns: map[string]uint64{}, waits: map[string]*Waiter{}, regs: map[string]uint64{},
	}
}

// labels numbers entries from #1 in the order in which a scenario sees them.
type labels []uint64

func (l *labels) of(id uint64) string {
	i := slices.Index(*l, id)
	if i < 0 {
		i = len(*l)
		*l = append(*l, id)
	}
	return fmt.Sprintf("#%d", i+1)
}

// run executes one command and returns its output: first its own result, then its consequences.
func (s *scenario) run() string {
	s.out.Reset()
	commands := map[string]func(){
		"kind": s.kind, "write": s.write, "update": s.update, "find": s.find, "count": s.count,
		"begin": s.begin, "commit": s.commit, "abort": s.abort, "rollback": s.rollback, "defer": s.deferEntry,
		"renew": s.renew, "cancel": s.cancel, "notify": s.notify, "pass": s.pass, "give-up": s.giveUp, "crash": s.crash,
	}
	command := commands[s.d.Cmd]
	if command == nil {
		s.d.Fatalf(s.t, "no such command")
	}
	command()
	s.consequences()
	return s.out.String()
}

func (s *scenario) printf(format string, args ...any) { fmt.Fprintf(&s.out, format+"\n", args...) }

// compareReplica applies the new records to the replica.
func (s *scenario) compareReplica() {
	require.NoError(s.t, s.replica.Apply(s.e.Log), s.d.Pos)
	s.log = append(s.log, s.e.Log...)
	s.e.Log = s.e.Log[:0]
	require.Equal(s.t, s.e.Hash(), s.replica.Hash(), "%s: the replica differs", s.d.Pos)
}

// consequences prints the waits that the command ended, and the events that it caused.
func (s *scenario) consequences() {
	for _, w := range s.e.Granted {
		for _, name := range sortedKeys(s.waits) {
			if s.waits[name] != w {
				continue
			}
			if w.Err != nil {
				s.printf("%s: %s", name, errorText(w.Err))
			}
			for i, v := range w.Got {
				s.printf("%s: %s%s", name, s.view(v), s.begun(w.Query, v, i))
			}
			delete(s.waits, name)
		}
	}
	for _, ev := range s.e.Events {
		s.printf("%s: event %d, %s%s", nameOf(s.regs, ev.Registration), ev.Seq, eventNames[ev.Type], s.shown(ev))
	}
	for _, l := range s.e.Lost {
		s.printf("%s is lost: %s", nameOf(s.txns, l.Txn), errorText(l.Why))
	}
	for _, id := range s.e.Ended {
		s.printf("%s: ended", nameOf(s.regs, id))
	}
}

// shown prints the entry of an event; a gap has none.
func (s *scenario) shown(ev call.Event) string {
	if ev.Type == call.Gap {
		return ""
	}
	return ", " + s.view(ev.Entry)
}

func (s *scenario) kind() {
	schema := &template.Schema{Kind: s.d.CmdArgs[0].Key}
	for _, a := range s.d.CmdArgs[1:] {
		if a.Key == "embeds" {
			schema.Supers = append(schema.Supers, a.Vals...)
			continue
		}
		schema.Fields = append(schema.Fields, template.Field{Name: a.Key, Class: classNamed(a.Vals[0])})
	}
	s.result(s.e.Register(s.now, schema))
}

func (s *scenario) write() {
	r := s.e.Write(s.now, s.under(), call.Request{}, s.drafts())
	if s.result(r) {
		for _, g := range r.Grants {
			s.printf("%s", s.lease(s.entries.of(g.ID), g))
		}
	}
}

func (s *scenario) update() {
	id := s.entry(0)
	p, ok := s.e.store.Find(id)
	require.True(s.t, ok, s.d.Pos)
	k := s.e.kinds[p.Kind-1]
	c := call.Change{ID: id, Kind: k.id, Row: s.row(k.schema, s.d.CmdArgs[1:]), Version: uint32(s.number("version", 0))}
	if r := s.e.Update(s.now, s.under(), call.Request{}, c); s.result(r) {
		s.printf("%s version %d", s.entries.of(id), r.Version)
	}
}

// find reads or takes; with wait=NAME it waits if nothing matches.
func (s *scenario) find() {
	q := s.query()
	if q.Held {
		s.findHeld(q)
		return
	}
	r := s.e.Find(s.now, q)
	for i, v := range r.Entries {
		s.printf("%s%s", s.view(v), s.begun(q, v, i))
	}
	if r.Err == nil {
		return
	}
	name, waits := s.text("wait")
	if !waits || r.Err != call.ErrNoMatch {
		s.printf("%s", errorText(r.Err))
		return
	}
	w := s.e.Park(q, nil)
	if w == nil {
		s.printf("none, and nothing to wait for")
		return
	}
	s.waits[name] = w
	s.printf("%s waits", name)
}

// findHeld reads held entries, and prints their holders.
func (s *scenario) findHeld(q *call.Query) {
	r, _ := s.e.StartHeldFind(s.now, unbounded, q)
	for _, v := range r.Entries {
		left := "forever"
		if v.Held.Left != call.Forever {
			left = time.Duration(v.Held.Left).String()
		}
		s.printf("%s, held by %s for %v, %s left", s.view(v), nameOf(s.txns, v.Held.Txn.Number), time.Duration(v.Held.For),
			left)
	}
	if r.Err != nil {
		s.printf("%s", errorText(r.Err))
	}
}

func (s *scenario) count() {
	q := s.query()
	r := s.e.Count(s.now, q)
	if q.Held {
		r, _ = s.e.StartHeldCount(s.now, unbounded, q)
	}
	if s.result(r) {
		s.printf("%d", r.Count)
	}
}

func (s *scenario) begin() {
	if r := s.e.Begin(s.now, s.duration("for", call.Forever), call.Request{}, s.d.CmdArgs[0].Key); s.result(r) {
		s.txns[s.d.CmdArgs[0].Key] = r.Grants[0].ID
		s.printf("%s", s.lease(s.d.CmdArgs[0].Key, r.Grants[0]))
	}
}

func (s *scenario) commit() { s.result(s.e.Commit(s.now, s.txn(0), call.Request{}, s.drafts())) }

func (s *scenario) abort() { s.result(s.e.Abort(s.now, s.txn(0))) }

func (s *scenario) rollback() {
	var keep []uint64
	for i := range s.d.CmdArgs[1:] {
		keep = append(keep, s.entry(i+1))
	}
	s.result(s.e.Rollback(s.now, s.txn(0), keep))
}

func (s *scenario) deferEntry() {
	s.result(s.e.Defer(s.now, s.txn(0), s.entry(1), s.duration("delay", 0)))
}

func (s *scenario) renew() {
	r := s.e.Renew(s.now, call.Request{}, s.duration("for", call.Forever), []uint64{s.lessee(0)})
	if r.Err == nil && r.Errs[0] != nil {
		r.Err = r.Errs[0]
	}
	if s.result(r) {
		s.printf("%s", s.lease(s.d.CmdArgs[0].Key, r.Grants[0]))
	}
}

func (s *scenario) cancel() {
	r := s.e.Cancel(s.now, call.Request{}, []uint64{s.lessee(0)})
	if r.Err == nil {
		r.Err = r.Errs[0]
	}
	s.result(r)
}

func (s *scenario) notify() {
	name := s.d.CmdArgs[0].Key
	on := call.Events(call.Written)
	if a := s.arg("on"); a != nil {
		on = 0
		for _, v := range a.Vals {
			on |= call.Events(eventNamed(v))
		}
	}
	s.d.CmdArgs = s.d.CmdArgs[1:]
	if r := s.e.Notify(s.now, s.query(), on, s.duration("for", call.Forever)); s.result(r) {
		s.regs[name] = r.Grants[0].ID
	}
}

// pass advances time, and calls the engine.
func (s *scenario) pass() {
	d, err := time.ParseDuration(s.d.CmdArgs[0].Key)
	require.NoError(s.t, err, s.d.Pos)
	s.now += int64(d)
	s.e.Expire(s.now)
}

// giveUp cancels a wait, as its caller would.
func (s *scenario) giveUp() {
	name := s.d.CmdArgs[0].Key
	require.True(s.t, s.e.Unpark(s.waits[name]), s.d.Pos)
	delete(s.waits, name)
}

// crash continues with a new engine that has read the log. Waits end with their connections.
func (s *scenario) crash() {
	s.e, s.replica = New(Config{}, 0), New(Config{}, 0)
	require.NoError(s.t, s.e.Apply(s.log))
	require.NoError(s.t, s.replica.Apply(s.log))
	clear(s.waits)
	s.e.Restarted(s.now)
}
