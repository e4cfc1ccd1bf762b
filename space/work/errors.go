package work

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/gospaces/gospaces/space"
)

// Permanent wraps an error of a handler to say that another attempt is of no use: the job becomes a dead letter at
// once. errors.Is and errors.As see through it. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

// RetryAfter wraps an error of a handler to say when to try again, in the place of Config's delay: after d, at most
// space.MaxDelay. The attempt counts as failed. errors.Is and errors.As see through it. RetryAfter of nil is nil.
func RetryAfter(d time.Duration, err error) error {
	if err == nil {
		return nil
	}
	return &laterError{min(max(d, 0), space.MaxDelay), err}
}

type laterError struct {
	delay time.Duration
	err   error
}

func (e *laterError) Error() string { return e.err.Error() }
func (e *laterError) Unwrap() error { return e.err }

// PanicError is the failure of a handler that panicked.
type PanicError struct {
	Value any    // what the handler panicked with
	Stack []byte // as of debug.Stack
}

// Error tells the value, without the stack.
func (e *PanicError) Error() string { return fmt.Sprintf("the handler panicked: %v", e.Value) }

// Unwrap returns the value, if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// errGoexit is the failure of a handler that ended its goroutine.
var errGoexit = errors.New("work: the handler called runtime.Goexit")

// WorkerDiedError is the reason of a dead letter whose job's last attempt ended because its worker vanished: its
// process or machine died, or it was out of touch with the space for longer than the lease.
type WorkerDiedError struct {
	Holder string    // the host and process of the worker; "" for a space in process
	At     time.Time // when the space gave it up
}

// Error names the worker and the time.
func (e *WorkerDiedError) Error() string {
	return fmt.Sprintf("worker died: %s, %s", cmp.Or(e.Holder, "in process"), e.At.UTC().Format(time.RFC3339))
}
