package server

import (
	"errors"
	"sync"
	"time"

	"github.com/gospaces/gospaces/internal/call"
)

// token identifies a session that its client may resume.
type token [16]byte

// session is the state of one client: the partitions that it has opened, the calls that wait, and the bytes to be sent.
// Two goroutines work for it: its owner, which reads a connection, and its writer. The parts below have files of their
// own; its life tells which of the two run.
//
// Order of locks: a host's before mu. Nothing calls a host while it holds mu.
type session struct {
	intake // reading of calls
	stream // bytes for the client
	waits  // calls that wait
	lapses // lapsed listeners
	pulse  // activity of the connection
	probe  // time of a call now and then

	storing // what the reader does in logs

	srv    *Server
	token  token
	client call.Client   // zero: it does not repeat calls
	holder string        // the name under which the client is listed
	done   chan struct{} // closed when the session has ended

	callers []*caller // by handle; owned by the goroutine that reads the connection, and changed under mu

	mu   sync.Mutex
	life life // guarded by mu
	// on mu: something was sent, the connection was lost, a span has ended, or the session has
	room    sync.Cond
	charged int64     // guarded by mu; of the budget
	spans   int       // guarded by mu; calls in progress that end transactions of several spaces
	stale   []*caller // guarded by mu; callers that were reset, for the partitions to forget

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
	s.look = time.AfterFunc(time.Hour, s.lookAfter)
	s.look.Stop()
	return s
}

// errGoodbye ends a session in good order.
var errGoodbye = errors.New("server: the client said goodbye")
