package server

import (
	"context"
	"fmt"
	"math"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/wire"
)

// A client may open a space that does not exist: what is then behind its handle is a Host that is empty, and to which
// nothing is ever written. Calls that change nothing find nothing there, and wait there. When the space is created its
// clients open it again, and repeat the calls that wait.

// create makes the space of c, which does not exist as far as c knows. It returns the error of a call that needs it:
// the call is to be made again once the client has opened the space, unless the space cannot be made. It blocks for as
// long as that takes.
func (c *caller) create() error {
	if err := c.s.create(c.at.Space, 0); err != nil {
		return err
	}
	return errOpenAgain
}

// errOpenAgain ends calls that were not executed because their space is to be opened again.
var errOpenAgain = fmt.Errorf("%w: the space is to be opened again", wire.ErrInterrupted)

// create makes a space, if there is none of that name.
func (s *session) create(name string, partitions int) error {
	s.pause() // it may take its time, others go on
	err := s.srv.cfg.Spaces.Create(name, partitions)
	s.setReading(true)
	if err == nil {
		s.srv.Created(name)
	}
	return err
}

// handleCreateSpace makes a space.
func (s *session) handleCreateSpace(callID uint64, a *call.Ask) error {
	if err := s.create(a.Name, int(min(a.Parts, math.MaxInt32))); err != nil {
		return s.fail(callID, err)
	}
	return s.answer(callID, nil)
}

// handleManage changes the cluster.
func (s *session) handleManage(callID uint64, a *call.Ask) error {
	if s.srv.cfg.Manager == nil {
		return s.fail(callID, fmt.Errorf("%w: this server is not a node of a cluster", call.ErrInvalidArgument))
	}
	return s.apart(callID, func(ctx context.Context) error {
		answer, err := s.srv.cfg.Manager.Manage(ctx, []byte(a.Name))
		if err != nil {
			return err
		}
		return s.answer(callID, answer)
	})
}

// handleDropSpace drops a space, and answers whether there was one.
func (s *session) handleDropSpace(callID uint64, a *call.Ask) error {
	return s.apart(callID, func(ctx context.Context) error {
		dropped, err := s.srv.cfg.Spaces.Drop(ctx, a.Name, a.Tables)
		for _, h := range dropped {
			s.srv.Replaced(h)
		}
		if len(dropped) > 0 {
			s.srv.Created(a.Name) // by those who have written already, or again, if it could not be dropped
		}
		if err != nil {
			return err
		}
		return s.answer(callID, nil)
	})
}

// Created makes the clients of a space that did not exist open it, because it exists now.
func (s *Server) Created(name string) {
	s.reset(func(c *caller) bool { return c.absent && c.at.Space == name })
}

// Replaced makes the clients of a host open their handles again, after Lookup has ceased to return it: what it stood
// for is no more, or is served by another.
func (s *Server) Replaced(h Host) { s.reset(func(c *caller) bool { return c.host == h }) }

// reset makes the clients of some handles open them again.
func (s *Server) reset(which func(c *caller) bool) {
	for _, ss := range s.allSessions() {
		ss.mu.Lock()
		for _, c := range ss.callers {
			if c != nil && which(c) {
				c.resetLocked()
			}
		}
		ss.mu.Unlock()
	}
}
