package client

import (
	"sync/atomic"

	"github.com/gospaces/gospaces/internal/wire"
)

// incoming is the receiving side of a link. It is owned by the link's run and, while that runs, by its reader.
type incoming struct {
	*wire.Reader
	received uint64 // position in the server's stream
	acked    uint64 // the part of it acknowledged to the server
	terms    *wire.Terms
	activity atomic.Uint64 // reads that brought something, counted; may be loaded by anyone
}

// attach makes in, whose connection goes on with the session that terms tell, what is read.
func (n *incoming) attach(in *wire.Reader, terms *wire.Terms) {
	in.SetLimit(terms.MaxFrame)
	in.Restart(n.received)
	n.Reader, n.terms, n.acked = in, terms, n.received
}

// ackEvery is the number of bytes received before they are acknowledged, so that the server may drop them.
const ackEvery = 32 << 10

// unacknowledged records what was received, and reports whether it is time for an acknowledgement.
func (n *incoming) unacknowledged() bool {
	n.received = n.Total()
	return n.received-n.acked >= ackEvery
}
