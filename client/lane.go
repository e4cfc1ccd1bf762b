package client

import (
	"crypto/rand"
	"sync/atomic"

	"github.com/gospaces/gospaces/internal/call"
)

// A Client has Config.Conns lanes. To the partitions, a lane is one client: by its identity, and the numbers of its
// calls, they know which of these they have executed. It has at most one link to each node: if a partition has moved to
// another node, that is asked for the outcomes of calls that were sent to the first.

// lane is what the links of a lane have in common. Its methods may be called concurrently.
type lane struct {
	index    int // among the client's
	identity call.Client
	numbers  numbers
	owed     owed
	epochs   atomic.Uint64 // of its links' sessions, counted
}

// newLane returns a lane with a new identity, which cannot be guessed.
func newLane(index int) *lane {
	l := &lane{index: index}
	_, _ = rand.Read(l.identity[:]) // it never fails
	return l
}

// numbers issues the numbers of calls and frames, each once.
type numbers struct{ blocks atomic.Uint64 }

// blockSize is how many numbers a link takes at a time.
const blockSize = 1 << 16

// block returns the first number of a block that is the caller's.
func (n *numbers) block() uint64 { return (n.blocks.Add(1) - 1) * blockSize }

// owed counts the calls that were sent in sessions that are gone, and must be repeated. Until there are none, no server
// may be told that the client has received everything: partitions would drop outcomes. On one link it is enough that a
// call was sent again, because the Ack follows it. A call whose partition has moved is counted until its outcome
// arrives: an Ack to the old node could overtake it.
type owed struct{ n atomic.Int64 }

func (o *owed) add(n int64) { o.n.Add(n) }

func (o *owed) any() bool { return o.n.Load() > 0 }
