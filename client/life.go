package client

import (
	"context"
	"slices"
	"sync"
)

// state is the state of a link. It determines what the link does with calls.
type state uint8

const (
	down     state = iota // they wait for a connection
	up                    // they are sent
	draining              // the server shuts down: calls wait for the next connection, those in flight are completed
	ended                 // the link is closed
)

// successors are the states that may follow each.
var successors = [...][]state{
	down:     {up, ended},
	up:       {draining, down, ended},
	draining: {down, ended},
	ended:    {},
}

// life is the state of a link, and its goroutines. The link's mu guards state and changed.
type life struct {
	state   state
	changed chan struct{}  // closed and replaced whenever state changes
	over    chan struct{}  // closed when the link has ended
	tasks   sync.WaitGroup // of the link; none begins once it has ended
}

func newLife() life { return life{changed: make(chan struct{}), over: make(chan struct{})} }

// become changes the state and wakes waiting calls. It does nothing if the state cannot follow the current one: after
// the end a connection has no effect.
func (f *life) become(next state) {
	if !slices.Contains(successors[f.state], next) {
		return
	}
	f.state = next
	f.stir()
	if next == ended {
		close(f.over)
	}
}

// stir wakes the calls that wait for a change of the state, so that they look again which link is theirs.
func (f *life) stir() {
	close(f.changed)
	f.changed = make(chan struct{})
}

// start runs task on a goroutine that the end of the link waits for. It reports false, and does nothing, if the link
// has ended.
func (f *life) start(task func()) bool {
	if f.state == ended {
		return false
	}
	f.tasks.Go(task)
	return true
}

// isOver reports whether the link has ended. It needs no lock.
func (f *life) isOver() bool {
	select {
	case <-f.over:
		return true
	default:
		return false
	}
}

// context returns a context for a task of the link: it ends with the link, or when cancel is called. It needs no lock.
func (f *life) context() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	f.tasks.Go(func() {
		select {
		case <-f.over:
			cancel()
		case <-ctx.Done():
		}
	})
	return ctx, cancel
}
