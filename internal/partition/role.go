package partition

import (
	"fmt"
	"slices"
)

// role is a partition's relation to its log, and determines the calls that it serves. There is one way to become the
// primary, at the start and after a failed append:
//
//	starting → follower → candidate → primary
//	                          ↘ readOnly
//
// Any failure leads back to starting, where the state is rebuilt. A candidate that another has overtaken becomes a
// follower again, with the state that it has.
type role uint8

const (
	// starting has no state: it loads the newest image.
	starting role = iota
	// follower applies the rest of the log.
	follower
	// candidate has applied all of the log, and claims to be its only writer.
	candidate
	// primary writes the log and serves all calls.
	primary
	// readOnly has applied all of the log, which has no room for a claim: it serves calls that change nothing.
	readOnly
	// closed serves no calls.
	closed
)

var roleNames = [...]string{"starting", "follower", "candidate", "primary", "read-only", "closed"}

func (r role) String() string { return roleNames[r] }

// successors are the roles that may follow each.
var successors = [...][]role{
	starting:  {starting, follower, primary, closed}, // primary at once if there is no log
	follower:  {starting, candidate, closed},
	candidate: {starting, follower, primary, readOnly, closed},
	primary:   {starting, closed},
	readOnly:  {starting, closed},
	closed:    {},
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
	return true
}

// now returns the partition's role.
func (p *Partition) now() role {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.role
}

// turn changes to a role in which calls are still refused.
func (p *Partition) turn(r role) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.become(r, p.err)
}
