package client

import (
	"sync/atomic"

	"github.com/gospaces/gospaces/internal/wire"
)

// incoming is what a link receives. It is owned by the link's run and, while that runs, by its reader.
type incoming struct {
	*wire.Reader
	received uint64 // position in the server's stream
	acked    uint64 // the part of it that the server was told about
	terms    *wire.Terms
	activity atomic.Uint64 // reads that brought something, counted; may be loaded by anyone
}

// attach makes in, whose connection goes on with the session that terms tell, what is read.
func (n *incoming) attach(in *wire.Reader, terms *wire.Terms) {
	in.SetLimit(terms.MaxFrame)
	in.Restart(n.received)
	n.Reader, n.terms, n.acked = in, terms, n.received
}

// ackEvery is how many bytes are received before the server is told, so that it may forget them.
const ackEvery = 32 << 10

// unacknowledged notes what was received, and reports whether it is time to tell the server.
func (n *incoming) unacknowledged() bool {
	n.received = n.Total()
	return n.received-n.acked >= ackEvery
}
