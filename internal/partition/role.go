package partition

import (
	"fmt"
	"slices"
)

// role is a partition's relation to its log, and determines the calls that it serves. There is one way to become the
// primary, at the start, after a failed append, and in the place of another primary:
//
//	starting → recovering → candidate → primary
//	                    ↘   ↗       ↘      ↓
//	                   follower ←────── resigning
//
// Config.Standby tells whether a partition follows until it is told to lead, or is a candidate whenever it can be. Any
// failure leads back to starting, where the state is rebuilt. A candidate that another has overtaken, and a primary
// that has resigned, continue with the state that they have.
type role uint8

const (
	// starting has no state: it loads the newest image.
	starting role = iota
	// recovering applies the rest of the log, up to its end.
	recovering
	// follower applies what the primary appends, until it is told to lead.
	follower
	// candidate has applied all of the log, and claims to be its only writer.
	candidate
	// primary writes the log and serves all calls.
	primary
	// resigning commits what is pending, and then stores that another may be the primary. It serves no call.
	resigning
	// readOnly has applied all of the log, which has no room for a claim: it serves calls that change nothing.
	readOnly
	// closed serves no calls.
	closed
)

var roleNames = [...]string{
	"starting", "recovering", "follower", "candidate", "primary", "resigning", "read-only", "closed",
}

func (r role) String() string { return roleNames[r] }

// successors are the roles that may follow each.
var successors = [...][]role{
	starting:   {starting, recovering, primary, closed}, // primary at once if there is no log
	recovering: {starting, follower, candidate, closed},
	follower:   {starting, candidate, closed},
	candidate:  {starting, recovering, follower, primary, readOnly, closed},
	primary:    {starting, resigning, closed},
	resigning:  {starting, follower, closed},
	readOnly:   {starting, closed},
	closed:     {},
}

// become changes the role; refusal is the error of calls in it, nil for the primary. It returns false, and changes
// nothing, if the partition is closed. The lock is held.
func (p *Partition) become(r role, refusal error) bool {
	if p.role == closed {
		return false
	}
	if !slices.Contains(successors[p.role], r) {
		panic(fmt.Sprintf("partition: a %v partition cannot become %v", p.role, r))
	}
	p.role, p.err = r, refusal
	if r == follower {
		p.beginFollowing()
	}
	p.stir()
	return true
}

// stir wakes goroutines that wait for another role. The lock is held.
func (p *Partition) stir() {
	close(p.turned)
	p.turned = make(chan struct{})
}

// now returns the partition's role.
func (p *Partition) now() role {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.role
}

// Role returns the name of the partition's role, such as "primary", "follower" or "recovering".
func (p *Partition) Role() string { return p.now().String() }

// refusal returns the error of refused calls, nil while the partition serves them all. The lock is held.
func (p *Partition) refusal() error {
	switch p.role {
	case follower:
		return p.elsewhere()
	case starting, recovering, resigning:
		if at := p.elsewhere(); p.cfg.Standby && at.Node != "" {
			return at
		}
	}
	return p.err
}
