package client

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/gospaces/gospaces/internal/backoff"
	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/wire"
)

// A partition that moves to another node stays the same: it knows the lane's session, its registrations and its
// transactions. So the link to the old node hands its knowledge over to the link to the new one, and calls in flight
// are repeated there.

// estate is the knowledge that a link hands over with a partition.
type estate struct {
	known     known
	regs      map[regKey]*registration
	unclaimed map[uint64]unclaimed
}

// evict ends the work of l for s, as the loss of a session would, and returns what is to be handed over.
func (l *link) evict(s *part) *estate {
	l.mu.Lock()
	defer l.mu.Unlock()
	sent := l.out.End() // what is not sent yet will be
	for _, c := range l.calls.of(s) {
		switch {
		case c.entry().HasHandle():
			c.moved = true
			l.loseLocked(c, sent)
		case c.link == nil && c.repeatable() && !c.entry().Leaves():
			l.calls.end(c, errLost) // any node can answer it
		case c.link == nil && c.strands() && l.silence.suspect:
			l.loseLocked(c, sent)
		}
	}
	l.orphansLostLocked(s, sent)
	e := &estate{regs: map[regKey]*registration{}, unclaimed: map[uint64]unclaimed{}}
	e.known = l.session.forget(s)
	for key, r := range l.regs {
		if r.part == s {
			e.regs[key] = r
			delete(l.regs, key)
		}
	}
	for number, u := range l.calls.unclaimed {
		if u.part == s {
			e.unclaimed[number] = u
			delete(l.calls.unclaimed, number)
		}
	}
	return e
}

// adopt makes l the link of s.
func (l *link) adopt(s *part, e *estate) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.session.adopt(s, e.known)
	maps.Copy(l.regs, e.regs)
	for number, u := range e.unclaimed {
		l.calls.addUnclaimed(number, u)
	}
}

// takeUp resumes the registrations and calls that were adopted.
func (l *link) takeUp(s *part) {
	l.mu.Lock()
	l.reopenLocked()
	l.mu.Unlock()
	l.reattach(s)
}

// unserved has the pauses before a call is made again whose partition is served by no known node.
var unserved = backoff.Backoff{Min: 20 * time.Millisecond, Max: 250 * time.Millisecond}

// follow handles err, with which c ended at l, by following the partition to its node. It returns nil when c can be
// made again, and otherwise the error with which c ends. It pauses first, unless err names a node that is new and can
// be reached.
func (c *pendingCall) follow(ctx context.Context, l *link, err error) error {
	if e := (*call.ElsewhereError)(nil); errors.As(err, &e) {
		if l.client.learn(ctx, c.part, l.node, e) == nil {
			return nil
		}
	}
	return c.sitOut(ctx, err)
}

// errKnown says that a node's information about a partition is not newer than the client's.
var errKnown = errors.New("client: no news")

// learn applies what the node from says of s. It returns an error if that is not news, or the named node cannot be
// reached.
func (c *Client) learn(ctx context.Context, s *part, from *node, e *call.ElsewhereError) error {
	now := s.place.Load()
	switch {
	case now.node != from:
		return nil // known by now
	case e.At != s.at:
		return errKnown // another partition, which the call needs: this one has not moved
	case e.Epoch.Compare(now.epoch) <= 0 || e.Node == "":
		return errKnown
	}
	to := c.topology.node(e.Node)
	if to == from {
		return errKnown
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second) // a node that hangs is not waited for
	defer cancel()
	if err := c.open(ctx, to); err != nil {
		c.cfg.Logger.Debug("cannot connect", "addr", to.addr, "error", err)
		return err
	}
	c.topology.move(s, from, place{to, e.Epoch})
	if to.version.Load() == 0 { // it may know nodes that this client does not
		l := to.links[0]
		l.begin(l.refresh)
	}
	return nil
}

// followed is follow for internal calls: it returns nil if err named the node of s.
func (c *Client) followed(ctx context.Context, s *part, from *node, err error) error {
	if e := (*call.ElsewhereError)(nil); errors.As(err, &e) {
		if c.learn(ctx, s, from, e) == nil {
			return nil
		}
	}
	return err
}

// linkFor returns the link by which c is to be sent.
func (c *pendingCall) linkFor() *link {
	switch {
	case c.link != nil:
		return c.link
	case c.lane != nil:
		return c.part.linkOf(c.lane)
	}
	return c.part.anyLink()
}

// sender returns the link that is responsible for c, which ended at l.
func (c *pendingCall) sender(l *link) *link {
	if c.via == nil || c.link != nil {
		return l
	}
	return c.part.linkOf(c.via.lane)
}

// isAstray reports whether c is to be sent by another link than l.
func (c *pendingCall) isAstray(l *link) bool {
	return c.link == nil && c.part.place.Load().node != l.node
}

// errAstray ends the sending of a call that is to be sent by another link.
var errAstray = errors.New("client: the partition is at another node")

// codeAstray reports whether the body of a Failure says that the partition is not here.
func codeAstray(failure []byte) bool {
	d := wire.NewDecoder(failure)
	code := wire.Code(d.Uvarint())
	return code == codeElsewhere || code == codeNotReady
}

var codeElsewhere, codeNotReady = wire.CodeOf(call.ErrElsewhere), wire.CodeOf(call.ErrNotReady)
