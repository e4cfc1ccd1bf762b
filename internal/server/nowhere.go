package server

import (
	"context"
	"fmt"
	"sync"

	"github.com/gospaces/gospaces/internal/budget"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/internal/wire"
)

// nowhere stands for all spaces that do not exist: an empty partition, which nothing is ever written to. Calls that
// change nothing find nothing there, and wait there. When one of the spaces is created its clients open it again, and
// repeat the calls that wait.
type nowhere struct {
	p *partition.Partition

	mu      sync.Mutex                      // taken before those of sessions
	callers map[string]map[*caller]struct{} // guarded by mu; by the name of the space
}

func newNowhere(b *budget.Budget) (*nowhere, error) {
	n := &nowhere{p: partition.New(partition.Config{Budget: b}), callers: map[string]map[*caller]struct{}{}}
	return n, n.p.Start(context.Background(), nil)
}

// addLocked notes that c has opened a space that does not exist. n.mu is held.
func (n *nowhere) addLocked(c *caller) {
	of := n.callers[c.at.Space]
	if of == nil {
		of = map[*caller]struct{}{}
		n.callers[c.at.Space] = of
	}
	of[c] = struct{}{}
}

// leave forgets c.
func (n *nowhere) leave(c *caller) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if of := n.callers[c.at.Space]; of != nil {
		if delete(of, c); len(of) == 0 {
			delete(n.callers, c.at.Space)
		}
	}
}

// created makes the clients of a space that exists now open it again.
func (n *nowhere) created(name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.callers[name] {
		c.reset()
	}
	delete(n.callers, name)
}

// create makes the space of c, which does not exist as far as c knows. It returns the error of a call that needs it:
// the call is to be made again once the client has opened the space, unless the space cannot be made. It blocks for as
// long as that takes.
func (c *caller) create() error {
	if err := c.s.create(c.at.Space); err != nil {
		return err
	}
	return errOpenAgain
}

// errOpenAgain ends calls that were not executed because their space is to be opened again.
var errOpenAgain = fmt.Errorf("%w: the space is to be opened again", wire.ErrInterrupted)

// create makes a space, if there is none of that name.
func (s *session) create(name string) error {
	s.pause() // it may take its time, others go on
	err := s.srv.cfg.Spaces.Create(name)
	s.setReading(true)
	if err == nil {
		s.srv.nowhere.created(name)
	}
	return err
}

// creates reports whether calls of a type need a space that exists. So do those under transactions of other spaces, see
// caller.under.
func creates(t wire.Type) bool {
	switch t {
	case wire.Write, wire.Register, wire.Notify, wire.BeginTxn:
		return true
	}
	return false
}

// handleCreateSpace makes a space.
func (s *session) handleCreateSpace(call uint64, d wire.Decoder) error {
	name := string(d.Bytes())
	if err := d.Err(); err != nil {
		return s.refuse(call, err)
	}
	if err := s.create(name); err != nil {
		return s.fail(call, err)
	}
	return s.answer(call, nil)
}

// handleDropSpace drops a space, and answers whether there was one.
func (s *session) handleDropSpace(call uint64, d wire.Decoder) error {
	name, tables := string(d.Bytes()), d.Byte() != 0
	if err := d.Err(); err != nil {
		return s.refuse(call, err)
	}
	return s.apart(call, func(ctx context.Context) error {
		dropped, err := s.srv.cfg.Spaces.Drop(ctx, name, tables)
		if dropped != nil {
			s.srv.dropped(dropped)
			s.srv.nowhere.created(name) // by those who have written already, or again, if it could not be dropped
		}
		if err != nil {
			return err
		}
		return s.answer(call, nil)
	})
}

// dropped makes the clients of a partition that was dropped open its space again, which does not exist any more, or is
// another one.
func (s *Server) dropped(p *partition.Partition) {
	for _, ss := range s.allSessions() {
		ss.mu.Lock()
		for _, c := range ss.callers {
			if c != nil && c.p == p {
				c.resetLocked()
			}
		}
		ss.mu.Unlock()
	}
}
