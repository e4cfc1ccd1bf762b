package server

import (
	"errors"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/wire"
)

// token names a session to the client that may resume it.
type token [16]byte

// session is what a server knows of one client: the spaces that it opened, the calls that wait, and what it is owed. A
// session is attached to one connection, whose goroutine reads it, or detached for a while between two.
//
// Order of locks: a partition's before mu. Nothing calls a partition while it holds mu.
type session struct {
	srv    *Server
	token  token
	client call.Client   // zero: it does not repeat calls
	holder string        // what people call the client
	wake   chan struct{} // capacity 1: there is something for the writer
	done   chan struct{} // closed when the session has ended

	// Owned by the goroutine that reads the connection; handed on with it.
	in       *wire.Reader
	received uint64    // position in the client's stream
	acked    uint64    // the part of it that the client was told about
	callers  []*caller // by handle; changed under mu
	frames   uint64    // not yet counted in the server's stats
	scratch  *find
	ask      call.Ask // the present call, and memory for the next
	bursts   []Host   // that were called since the last pause
	// bytes of the present batch, what is left of it when it is halved; 0: it is not, or it was
	half int

	// signs of life of the connection, counted: reads, and writes while the client does not send
	activity  atomic.Uint64
	listening atomic.Uint64 // whether the reader waits for the client, and for what; see listen
	arrived   atomic.Int64  // bytes of the frame that it waits for
	full      atomic.Bool   // more is unsent than there should be: stop reading

	mu sync.Mutex
	// on mu: something was sent, the connection was lost, a span has ended, or the session has
	room     sync.Cond
	conn     net.Conn         // guarded by mu; nil while detached
	reading  bool             // guarded by mu; the reader is amid a batch of frames, and flushes after it
	flushing bool             // guarded by mu; a goroutine writes to conn
	idle     bool             // guarded by mu; the writer waits for wake
	out      wire.Stream      // guarded by mu
	held     int              // guarded by mu; bytes in the later queues
	kept     int              // guarded by mu; bytes of the calls in waiting and spare
	charged  int64            // guarded by mu; of the budget
	issuing  *find            // guarded by mu; the find that is being handed to its partition
	waiting  map[uint64]*find // guarded by mu; by call
	spare    []*find          // guarded by mu
	spans    int              // guarded by mu; calls that end transactions of several spaces, under way
	lapsed   int              // guarded by mu; listeners that have lapsed
	reviving bool             // guarded by mu; the writer is to look whether some of them may go on
	stale    []*caller        // guarded by mu; that were reset, and the partitions are to forget
	recall   bool             // guarded by mu; the writer is to interrupt the calls that wait
	owned    bool             // guarded by mu; a connection's goroutine has it
	leaving  bool             // guarded by mu; the client was asked to go away
	goodbye  bool             // guarded by mu; the client wants nothing more, not even what it might repeat
	ended    bool             // guarded by mu; to be forgotten as soon as it has no owner
	gone     bool             // guarded by mu; done is closed
	detached time.Time        // guarded by mu; when conn was lost

	backups   []uint64 // guarded by mu; that end with the session
	forgotten bool     // guarded by mu; they have

	backingUp int // guarded by mu; calls that make one
	apartN    int // guarded by mu; calls that are served on goroutines of their own

	lastActivity uint64    // guarded by mu; what watch has seen of activity
	lastSeen     time.Time // guarded by mu; when that was new, later by the time in which the server stood still
	lastFrame    uint64    // guarded by mu; the frame that watch has seen the reader wait for
	frameSeen    time.Time // guarded by mu; when that was new, likewise
	throttled    bool      // guarded by mu; the reader waits until the client has read more
}

func newSession(srv *Server, t token, client call.Client, holder string) *session {
	s := &session{
		srv: srv, token: t, client: client, holder: holder, owned: true, wake: make(chan struct{}, 1), done: make(chan struct{}),
		scratch: new(find), waiting: map[uint64]*find{},
	}
	s.room.L = &s.mu
	return s
}

// errGoodbye ends a session in good order.
var errGoodbye = errors.New("server: the client said goodbye")

// throttle waits until less is unsent than Config.MaxUnsent: a client that does not read its answers gets no more.
func (s *session) throttle() error {
	s.pause()
	if err := s.flush(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.throttled = true
	for s.isFullLocked() && s.conn != nil && !s.ended {
		s.room.Wait()
	}
	s.throttled = false
	s.reading = true
	return nil
}

func (s *session) isFullLocked() bool {
	s.chargeLocked()
	n := s.out.Len() + s.held
	full := n > s.srv.cfg.MaxUnsent || n > writeChunk && s.srv.cfg.Budget.Scarce()
	if full != s.full.Load() {
		s.full.Store(full)
	}
	return full
}

// writeChunk bounds one write, so that a slow client that makes progress is seen to be alive.
const writeChunk = 256 << 10

// flush writes what is unsent, unless another goroutine does. It returns the error of the connection.
func (s *session) flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flushing || s.conn == nil || s.out.Len() == 0 {
		return nil
	}
	s.flushing = true
	defer s.flushedLocked()
	for s.conn != nil && s.out.Len() > 0 {
		conn, b := s.conn, s.out.Unsent()
		s.mu.Unlock()
		n, err := conn.Write(b[:min(len(b), writeChunk)])
		if s.listening.Load() == 0 {
			s.activity.Add(1)
		}
		s.srv.stats.bytesOut.Add(uint64(n))
		s.mu.Lock()
		s.out.Sent(n)
		if s.out.Retained() > writeChunk && s.srv.cfg.Budget.Scarce() {
			s.out.Release()
		}
		s.isFullLocked()
		s.room.Broadcast()
		if err != nil {
			conn.Close() // so that the reader notices
			return err
		}
	}
	return nil
}

// flushedLocked ends a flush. Listeners that lapsed because too much was unsent may go on.
func (s *session) flushedLocked() {
	s.flushing = false
	s.room.Broadcast()
	if s.lapsed > 0 {
		s.reviveLocked()
	}
}

// wakeLocked makes the writer send what was appended, unless another goroutine is about to.
func (s *session) wakeLocked() {
	if !s.reading {
		s.wakeWriterLocked()
	}
}

func (s *session) wakeWriterLocked() {
	if s.idle {
		s.idle = false
		s.wake <- struct{}{} // there is room: only an idle writer is woken, and only once
	}
}

// write sends what others than the reader append, and calls partitions for those that must not. When the session ends
// it makes them forget it.
func (s *session) write() {
	for s.awaitWork() {
		if s.recalled() {
			s.interruptWaits(nil)
		}
		s.leaveStale()
		s.revive()
		runtime.Gosched() // lets a goroutine append that is about to
		_ = s.flush()     // the reader sees the error too, and it is his to act upon
	}
	s.forget()
}

func (s *session) recalled() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	recalled := s.recall
	s.recall = false
	return recalled
}

// awaitWork waits until there is something for the writer; false means that the session has ended.
func (s *session) awaitWork() bool {
	s.mu.Lock()
	busy := !s.gone && (s.reviving || s.recall || len(s.stale) > 0 || s.conn != nil && s.out.Len() > 0 && !s.flushing && !s.reading)
	s.idle = !busy
	s.mu.Unlock()
	if busy {
		return true
	}
	select {
	case <-s.wake:
		return true
	case <-s.done:
		return false
	}
}
