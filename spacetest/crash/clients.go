//go:build linux

package crash

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// clients are the client processes of a round. The methods are for one goroutine at a time.
type clients struct {
	dir     string // of the journals
	program string
	addr    string
	team    []string // the parts that they play
	parts   int      // as orders have it
	late    bool     // likewise
	seed    uint64
	last    int // number of the latest client

	running []*member
	over    []*member // ended, but not judged yet
}

// member is a client process.
type member struct {
	*child
	orders orders
	stderr *strings.Builder
	ended  time.Duration // the time by which it had ended
}

// team lists the clients of one server.
var team = []string{callers, callers, callers, writers, workers, workers, listener}

// start starts all clients of a round.
func (cs *clients) start() error {
	for _, part := range cs.team {
		m, err := cs.launch(part)
		if err != nil {
			return err
		}
		cs.running = append(cs.running, m)
	}
	return nil
}

func (cs *clients) launch(part string) (*member, error) {
	cs.last++
	m := &member{stderr: new(strings.Builder), orders: orders{
		Part: part, Number: cs.last, Addr: cs.addr, Seed: cs.seed, Parts: cs.parts, Late: cs.late,
		Journal: filepath.Join(cs.dir, fmt.Sprintf("%s-%d.jsonl", part, cs.last)),
	}}
	text, err := json.Marshal(m.orders)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(cs.program)
	cmd.Env = append(os.Environ(), ordersVariable+"="+string(text))
	cmd.Stderr = m.stderr
	m.child, err = launch(cmd)
	return m, err
}

// replace kills a client and starts another one in its place.
func (cs *clients) replace(i int) error {
	m := cs.running[i]
	if m.child.ended() {
		return m.failure()
	}
	if err := m.kill(); err != nil {
		return err
	}
	m.ended = now()
	cs.over = append(cs.over, m)
	var err error
	cs.running[i], err = cs.launch(m.orders.Part)
	return err
}

// stop stops the clients of the given parts gracefully, and waits for them.
func (cs *clients) stop(parts ...string) error {
	var rest, stopped []*member
	for _, m := range cs.running {
		if !slices.Contains(parts, m.orders.Part) {
			rest = append(rest, m)
			continue
		}
		stopped = append(stopped, m)
		if m.orders.Part != listener { // it ends when it receives the sentinel
			if err := m.signal(syscall.SIGTERM); err != nil {
				return err
			}
		}
	}
	cs.running = rest
	for _, m := range stopped {
		select {
		case <-m.done:
		case <-time.After(patience):
			return errors.Join(fmt.Errorf("%s %d does not come to rest: see %s.stacks",
				m.orders.Part, m.orders.Number, m.orders.Journal), m.dump())
		}
		m.ended = now()
		cs.over = append(cs.over, m)
		if err := m.failure(); err != nil && !m.child.endedBy(syscall.SIGTERM) { // it had done nothing yet
			return err
		}
	}
	return nil
}

// patience is the time that any part may take to come to rest.
const patience = 2 * time.Minute

// failure returns the failure of a client that has ended.
func (m *member) failure() error {
	if m.err == nil {
		return nil
	}
	return fmt.Errorf("client: %w: %s", m.err, m.stderr)
}

// dump ends a client that hangs, and saves the stacks of its goroutines beside its journal.
func (m *member) dump() error {
	if err := m.signal(syscall.SIGQUIT); err != nil {
		return err
	}
	<-m.done
	return os.WriteFile(m.orders.Journal+".stacks", []byte(m.stderr.String()), 0o644)
}

// records reads the journals of the clients that have ended, by part, and forgets these clients.
func (cs *clients) records() (map[string]*noted, error) {
	all := map[string]*noted{}
	for _, part := range cs.team {
		all[part] = &noted{}
	}
	for _, m := range cs.over {
		r, err := readJournal(m.orders.Journal, m.ended)
		if errors.Is(err, os.ErrNotExist) {
			continue // it was killed before it did anything
		}
		if err != nil {
			return nil, err
		}
		sum := all[m.orders.Part]
		sum.calls, sum.told = append(sum.calls, r.calls...), append(sum.told, r.told...)
	}
	return all, nil
}

// forget removes the journals of clients that have ended.
func (cs *clients) forget() error {
	var errs []error
	for _, m := range cs.over {
		for _, file := range []string{m.orders.Journal, m.orders.Journal + ".log"} {
			if err := os.Remove(file); !errors.Is(err, os.ErrNotExist) {
				errs = append(errs, err)
			}
		}
	}
	cs.over = nil
	return errors.Join(errs...)
}

func (cs *clients) killAll() {
	for _, m := range cs.running {
		_ = m.kill()
	}
	cs.running = nil
}
