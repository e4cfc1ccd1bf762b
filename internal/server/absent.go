package server

import (
	"context"
	"fmt"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/wire"
)

// A client may open a space that does not exist. The Host behind its handle is then an empty one to which nothing is
// ever written: calls that change nothing find nothing, and wait there. When the space is created, its clients open it
// again and repeat the calls that wait.

// create creates the space of c, which does not exist as far as c knows. It returns the error of the call that needs
// the space: the client opens the space and makes the call again, unless the space cannot be created. It blocks until
// the space exists.
func (c *caller) create() error {
	if err := c.s.create(c.at.Space, call.Shape{}); err != nil {
		return err
	}
	return errOpenAgain
}

// errOpenAgain ends a call that was not executed because the client has to open its space again.
var errOpenAgain = fmt.Errorf("%w: the space is to be opened again", wire.ErrInterrupted)

// create creates a space, if there is none of that name.
func (s *session) create(name string, shape call.Shape) error {
	s.pause() // creating a space takes time; other calls go on
	err := s.srv.cfg.Spaces.Create(name, shape)
	s.setReading(true)
	if err == nil {
		s.srv.Created(name)
	}
	return err
}

// handleCreateSpace creates a space.
func (s *session) handleCreateSpace(callID uint64, a *call.Ask) error {
	if err := s.create(a.Name, a.Shape); err != nil {
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

// handleDropSpace drops a space, and replies whether there was one.
func (s *session) handleDropSpace(callID uint64, a *call.Ask) error {
	return s.apart(callID, func(ctx context.Context) error {
		dropped, err := s.srv.cfg.Spaces.Drop(ctx, a.Name, a.Tables)
		for _, h := range dropped {
			s.srv.Replaced(h)
		}
		if len(dropped) > 0 {
			s.srv.Created(a.Name) // by clients that have written to it meanwhile, or again if it could not be dropped
		}
		if err != nil {
			return err
		}
		return s.answer(callID, nil)
	})
}

// Created makes clients that opened a space before it existed open it again.
func (s *Server) Created(name string) {
	s.reset(func(c *caller) bool { return c.absent && c.at.Space == name })
}

// Replaced makes the clients of a host open their handles again. It is called after Lookup has ceased to return the
// host, because its partition no longer exists or is served by another one.
func (s *Server) Replaced(h Host) { s.reset(func(c *caller) bool { return c.host == h }) }

// reset makes the clients of the selected handles open them again.
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
