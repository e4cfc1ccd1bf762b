package server

import (
	"fmt"
	"slices"
	"time"
)

// life is where a session is between its first connection and its end:
//
//	attached ⇄ detached
//	   ↓ ↘        ↓
//	leaving → ending → ended → forgotten
//
// The lock of the session guards it.
type life struct {
	state     lifeState
	askedAway bool      // the client was asked to go away, and is expected back with another session
	goodbye   bool      // the client has ended the session, and will not repeat its calls
	lostAt    time.Time // when the last connection was lost
}

type lifeState uint8

const (
	attached  lifeState = iota // a connection's goroutine owns the session, and reads its calls
	detached                   // it waits for its client to come back
	leaving                    // attached, and the client was asked to go away
	ending                     // to end as soon as the connection's goroutine lets go of it
	ended                      // no call is made on its behalf any more: the writer makes partitions and server forget it
	forgotten                  // partitions and server have forgotten it
)

var lifeNames = [...]string{"attached", "detached", "leaving", "ending", "ended", "forgotten"}

func (l lifeState) String() string { return lifeNames[l] }

// lifeSuccessors are the states that may follow each.
var lifeSuccessors = [...][]lifeState{
	attached:  {detached, leaving, ending},
	detached:  {attached, ended},
	leaving:   {ending},
	ending:    {ended},
	ended:     {forgotten},
	forgotten: {},
}

// becomeLocked takes another state.
func (l *life) becomeLocked(next lifeState) {
	if !slices.Contains(lifeSuccessors[l.state], next) {
		panic(fmt.Sprintf("server: a session that is %v cannot become %v", l.state, next))
	}
	l.state = next
}

// ownedLocked reports whether a connection's goroutine owns the session.
func (l *life) ownedLocked() bool {
	return l.state == attached || l.state == leaving || l.state == ending
}

// overLocked reports whether the session ends or has ended.
func (l *life) overLocked() bool { return l.state >= ending }
