package client

import (
	"sync/atomic"

	"github.com/gospaces/gospaces/internal/wire"
)

// session is the shared knowledge of link and server: which spaces are open, and what the server knows of them. The
// link's mu guards it.
type session struct {
	epochs    *atomic.Uint64 // of the lane
	epoch     uint64         // counts sessions, resets of spaces, and moves, among all links of the lane
	repeats   bool           // the server can be asked for the outcomes of calls
	views     []view         // by handle of the space; gone with the session
	spaces    []known        // by handle; survives sessions
	reopening bool           // the link's reopen runs
}

// renew begins a new session, in which nothing is open, with a server that can be asked for outcomes or cannot.
func (n *session) renew(repeats bool) {
	n.epoch = n.epochs.Add(1)
	n.repeats = repeats
	n.views = nil
}

// view returns what the session knows of s.
func (n *session) view(s *part) *view {
	for uint64(len(n.views)) <= s.handle {
		n.views = append(n.views, view{epoch: n.epoch})
	}
	v := &n.views[s.handle]
	v.part = s
	return v
}

// at returns the view of the space with a handle, or nil.
func (n *session) at(handle uint64) *view {
	if handle >= uint64(len(n.views)) || n.views[handle].part == nil {
		return nil
	}
	return &n.views[handle]
}

// reset follows the server's reset of a handle, and returns its space; nil if that was never opened.
func (n *session) reset(handle uint64) *part {
	v := n.at(handle)
	if v == nil {
		return nil
	}
	v.resets++
	n.clear(v)
	return v.part
}

// clear begins a view anew.
func (n *session) clear(v *view) {
	n.epoch = n.epochs.Add(1) // also covers everything sent before
	*v = view{part: v.part, epoch: n.epoch, resets: v.resets}
}

// forget forgets what is known of s, and returns it. What is open stays so until the server resets it: then both sides
// go on from the same.
func (n *session) forget(s *part) known {
	k := *n.of(s)
	*n.of(s) = known{gone: true}
	return k
}

// adopt records what is known of s. If s is yet to be opened, its view is newer than the calls that were made
// elsewhere.
func (n *session) adopt(s *part, k known) {
	*n.of(s) = k
	if v := n.view(s); !v.open {
		n.clear(v)
	}
}

// known is what the server last said of a lane's session with one partition.
type known struct {
	session     uint64
	incarnation string
	gone        bool   // it is at another node: no calls may be sent to this one
	forgotten   uint64 // the epoch in which it turned out that the space has lost the calls of earlier ones
}

// of returns the known state of s.
func (n *session) of(s *part) *known {
	for uint64(len(n.spaces)) <= s.handle {
		n.spaces = append(n.spaces, known{})
	}
	return &n.spaces[s.handle]
}

// open notes what the server told when s was opened.
func (n *session) open(s *part, o *wire.Opened) {
	k, v := n.of(s), n.view(s)
	v.open, v.incarnation = true, o.Incarnation
	if o.Lost || k.incarnation != "" && k.incarnation != o.Incarnation {
		k.forgotten = v.epoch
	}
	k.session, k.incarnation = o.Session, o.Incarnation
}

// repeatable returns nil if c, which was sent before, may be sent in this session.
func (n *session) repeatable(c *pendingCall) error {
	if !n.repeats || c.born < n.of(c.part).forgotten {
		return errForgotten
	}
	return nil
}
