package partition

import (
	"context"
	"sync"
	"time"
)

// gate keeps commits over several partitions out while a backup begins. The zero value is open. Its methods may be
// called concurrently.
type gate struct {
	mu   sync.Mutex
	shut chan struct{} // guarded by mu; closed when the gate opens; nil: it is open
	in   int           // guarded by mu; commits under way
}

// enter begins a commit, once the gate is open. It returns the cause of ctx's end, or nil, and leave must follow.
func (g *gate) enter(ctx context.Context) error {
	for {
		g.mu.Lock()
		shut := g.shut
		if shut == nil {
			g.in++
		}
		g.mu.Unlock()
		if shut == nil {
			return nil
		}
		select {
		case <-shut:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.in--
}

// close closes the gate; false if it is closed already. open follows.
func (g *gate) close() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut != nil {
		return false
	}
	g.shut = make(chan struct{})
	return true
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.shut)
	g.shut = nil
}

// idle reports whether no commit is under way.
func (g *gate) idle() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.in == 0
}

// holdPause is the interval at which Hold checks what is still to be done.
const holdPause = 2 * time.Millisecond

// Hold makes commits of transactions over several partitions that are decided here wait, until release is called. It
// returns when none is under way, and all participants know of earlier decisions. It returns false if there is a hold
// already, and the cause of ctx's end.
func (s *Spans) Hold(ctx context.Context) (release func(), ok bool, err error) {
	if !s.gate.close() {
		return nil, false, nil
	}
	t := time.NewTicker(holdPause)
	defer t.Stop()
	for !s.gate.idle() || s.decided() {
		select {
		case <-t.C:
		case <-ctx.Done():
			s.gate.open()
			return nil, true, context.Cause(ctx)
		}
	}
	return sync.OnceFunc(s.gate.open), true, nil
}

// decided reports whether there is a decision of this partition that not all participants know.
func (s *Spans) decided() bool {
	for _, p := range s.all(s.d.All()) {
		if len(p.Participant().Decisions()) > 0 {
			return true
		}
	}
	return false
}
