package server

import (
	"errors"
	"sync"

	"github.com/gospaces/gospaces/internal/call"
)

// token names a session to the client that may resume it.
type token [16]byte

// session is what a server knows of one client: the partitions that it has opened, the calls that wait, and what it is
// owed. Two goroutines work for it: one that owns it, which reads a connection, and the session's writer. The parts
// below have files of their own; its life says which of the two are there.
//
// Order of locks: a host's before mu. Nothing calls a host while it holds mu.
type session struct {
	intake // what it reads
	stream // what it owes the client
	waits  // the calls that wait
	lapses // listeners that are to go on
	pulse  // signs of life of the connection

	srv    *Server
	token  token
	client call.Client   // zero: it does not repeat calls
	holder string        // what people call the client
	done   chan struct{} // closed when the session has ended

	callers []*caller // by handle; owned by the goroutine that reads the connection, and changed under mu

	mu   sync.Mutex
	life life // guarded by mu
	// on mu: something was sent, the connection was lost, a span has ended, or the session has
	room    sync.Cond
	charged int64     // guarded by mu; of the budget
	spans   int       // guarded by mu; calls that end transactions of several spaces, under way
	stale   []*caller // guarded by mu; that were reset, and the partitions are to forget

	backups backupsOf // guarded by mu
	apartN  int       // guarded by mu; calls that are served on goroutines of their own
}

func newSession(srv *Server, t token, client call.Client, holder string) *session {
	s := &session{
		srv: srv, token: t, client: client, holder: holder, done: make(chan struct{}),
		intake: intake{scratch: new(find)}, stream: stream{wake: make(chan struct{}, 1)},
		waits: waits{waiting: map[uint64]*find{}},
	}
	s.room.L = &s.mu
	return s
}

// errGoodbye ends a session in good order.
var errGoodbye = errors.New("server: the client said goodbye")
