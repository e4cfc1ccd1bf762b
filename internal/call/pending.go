package call

import "sync"

// Pending counts what a Caller must not show yet: bytes, events or outcomes, which are shown in the order in which they
// came. The zero value is empty. The lock of the Caller guards it.
type Pending struct {
	marks []mark // by rising lsn
}

// mark is a number of things that may be shown once lsn is durable.
type mark struct {
	lsn LSN
	n   int
}

// Add adds n things that depend on lsn. They are shown after those before them, even if their LSN is lower.
func (p *Pending) Add(n int, lsn LSN) {
	if last := len(p.marks) - 1; last >= 0 && p.marks[last].lsn >= lsn {
		p.marks[last].n += n
		return
	}
	p.marks = append(p.marks, mark{lsn, n})
}

// Durable returns how many things may be shown now that lsn is durable, and no longer counts them.
func (p *Pending) Durable(lsn LSN) (n int) {
	done := 0
	for done < len(p.marks) && p.marks[done].lsn <= lsn {
		n += p.marks[done].n
		done++
	}
	if done > 0 {
		p.marks = p.marks[:copy(p.marks, p.marks[done:])]
	}
	return n
}

// Empty reports whether everything may be shown.
func (p *Pending) Empty() bool { return len(p.marks) == 0 }

// Drop forgets everything, for a log that has failed.
func (p *Pending) Drop() { p.marks = p.marks[:0] }

// Single is a Caller, but for Reply, of one call at a time, whose goroutine waits for the outcome.
type Single struct {
	done chan struct{} // capacity 1: the outcome may be shown

	mu      sync.Mutex
	pending Pending // guarded by mu
	err     error   // written before done, read after it
}

// NewSingle returns a Single without a call.
func NewSingle() Single { return Single{done: make(chan struct{}, 1)} }

// Done receives one value for each call, when its outcome may be shown. Then Err returns its error.
func (s *Single) Done() <-chan struct{} { return s.done }

// Err returns the error of the last call that is done.
func (s *Single) Err() error { return s.err }

// Settle is for Reply: it takes the error of the outcome. What else Reply keeps of the outcome it stores before.
func (s *Single) Settle(err error, lsn LSN, durable bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
	if durable {
		s.done <- struct{}{}
		return
	}
	s.pending.Add(1, lsn)
}

// Event implements Caller; a call has no events.
func (s *Single) Event(*Event, LSN, bool) bool { return false }

// Durable implements Caller.
func (s *Single) Durable(lsn LSN) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pending.Durable(lsn) > 0 {
		s.done <- struct{}{}
	}
}

// Lost implements Caller.
func (s *Single) Lost(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.pending.Empty() {
		s.pending.Drop()
		s.err = err
		s.done <- struct{}{}
	}
}
