package partition

import (
	"fmt"
	"slices"
)

// role is what a partition is with regard to its log, and with that which calls it serves. There is one way to
// becoming the primary, at the start as well as after a failed append:
//
//	starting → follower → candidate → primary
//	                          ↘ readOnly
//
// Whatever fails leads back to starting, where the state is made anew. A candidate that another has overtaken becomes a
// follower again, with the state that it has.
type role uint8

const (
	// starting has no state: it loads the newest image.
	starting role = iota
	// follower applies what the log has after that.
	follower
	// candidate has applied all of the log: it claims to be the only one that writes it.
	candidate
	// primary writes the log and serves all calls.
	primary
	// readOnly has applied all of the log, which has no room for a claim: it serves calls that change nothing.
	readOnly
	// closed serves no call any more.
	closed
)

var roleNames = [...]string{"starting", "follower", "candidate", "primary", "read-only", "closed"}

func (r role) String() string { return roleNames[r] }

// successors are the roles that may follow each.
var successors = [...][]role{
	starting:  {starting, follower, primary, closed}, // at once the primary if there is no log
	follower:  {starting, candidate, closed},
	candidate: {starting, follower, primary, readOnly, closed},
	primary:   {starting, closed},
	readOnly:  {starting, closed},
	closed:    {},
}

// become takes another role, in which calls are refused for a reason; nil for the primary. It returns false, and
// changes nothing, if the partition is closed. The lock is held.
func (p *Partition) become(r role, refusal error) bool {
	if p.role == closed {
		return false
	}
	if !slices.Contains(successors[p.role], r) {
		panic(fmt.Sprintf("partition: a %v partition cannot become %v", p.role, r))
	}
	p.role, p.err = r, refusal
	return true
}

// now returns the partition's role.
func (p *Partition) now() role {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.role
}

// turn takes another role in which calls go on to be refused.
func (p *Partition) turn(r role) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.become(r, p.err)
}
