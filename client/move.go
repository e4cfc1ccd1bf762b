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

// A partition that is on another node now is still the one that it was: it knows the lane's session, its registrations
// and its transactions. So the link to the old node hands over what it knows to that to the new one, and calls in
// flight are repeated there.

// estate is what a link hands over with a partition.
type estate struct {
	known     known
	regs      map[regKey]*registration
	unclaimed map[uint64]unclaimed
}

// evict ends what l has to do with s as the loss of a session would, and returns what is to be handed over.
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

// adopt makes l the one that s is served by.
func (l *link) adopt(s *part, e *estate) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.session.adopt(s, e.known)
	maps.Copy(l.regs, e.regs)
	for number, u := range e.unclaimed {
		l.calls.addUnclaimed(number, u)
	}
}

// takeUp goes on with what was adopted, once calls find their way.
func (l *link) takeUp(s *part) {
	l.mu.Lock()
	l.reopenLocked()
	l.mu.Unlock()
	l.reattach(s)
}

// unserved are the pauses before a call is made again whose partition is not to be found for now.
var unserved = backoff.Backoff{Min: 20 * time.Millisecond, Max: 250 * time.Millisecond}

// follow follows err, with which c ended at l, to where the partition is. It returns nil when it is time to make c
// again, and otherwise the error with which c ends. It pauses before, unless err tells a node that was not known and
// can be reached.
func (c *pendingCall) follow(ctx context.Context, l *link, err error) error {
	if e := (*call.ElsewhereError)(nil); errors.As(err, &e) {
		if l.client.learn(ctx, c.part, l.node, e) == nil {
			return nil
		}
	}
	return c.sitOut(ctx, err)
}

// errKnown tells that what a node says of a partition is not newer than what is known.
var errKnown = errors.New("client: no news")

// learn follows what node from tells of s. It returns an error if that is not news, or the node cannot be reached.
func (c *Client) learn(ctx context.Context, s *part, from *node, e *call.ElsewhereError) error {
	now := s.place.Load()
	switch {
	case now.node != from:
		return nil // known by now
	case e.Epoch <= now.epoch || e.Node == "":
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
	return nil
}

// followed is follow for what is not a call: it returns nil if err told where s is.
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

// sender returns the link that has to do with c now, which ended at l.
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

// codeAstray reports whether the body of a Failure tells that the partition is not here.
func codeAstray(failure []byte) bool {
	d := wire.NewDecoder(failure)
	code := wire.Code(d.Uvarint())
	return code == codeElsewhere || code == codeNotReady
}

var codeElsewhere, codeNotReady = wire.CodeOf(call.ErrElsewhere), wire.CodeOf(call.ErrNotReady)
