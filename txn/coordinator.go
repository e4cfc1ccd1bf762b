package txn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
)

var (
	// ErrNoHome is returned for a transaction whose home is not here.
	ErrNoHome = errors.New("txn: the transaction's home does not exist")
	// ErrEnded is returned by Join and Commit if the transaction has already ended.
	ErrEnded = errors.New("txn: the transaction has ended")
	// ErrCommitting is returned by Join while the transaction is being committed.
	ErrCommitting = errors.New("txn: the transaction is being committed")
	// ErrAborted is returned by Commit if a partition could not prepare: the transaction has no effect anywhere.
	ErrAborted = errors.New("txn: aborted")
)

// Coordinator runs two-phase commit between the partitions of one process. All methods may be called concurrently.
type Coordinator struct {
	parts  Partitions
	logger *slog.Logger
	ctx    context.Context // for all background work; ends with Close
	cancel context.CancelFunc

	// joining makes enlisting and joining one step, and excludes both while a commit begins. Lock it before the lock of
	// any partition; lock mu after all of them.
	joining    sync.Mutex
	committing map[ID]chan struct{} // guarded by joining; closed when the commit has ended

	mu     sync.Mutex
	closed bool           // guarded by mu
	jobs   sync.WaitGroup // increased under mu, and only before closed is set
}

// NewCoordinator returns a coordinator of partitions. A nil logger is silent. Close ends the coordinator.
func NewCoordinator(parts Partitions, logger *slog.Logger) *Coordinator {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	c := &Coordinator{parts: parts, logger: logger, committing: map[ID]chan struct{}{}}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// Close stops the background work without finishing it; Recover takes it up again. Commits under way return an error,
// or succeed. Close is idempotent.
func (c *Coordinator) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.cancel()
	c.jobs.Wait()
}

// Join ensures that the partition at an address has a branch of transaction id, and that the home knows of it. It does
// not wait for a log. It returns ErrNoHome, ErrCommitting, ErrEnded, or the error of the home or the partition: the
// transaction has ended, or the partition does not serve.
func (c *Coordinator) Join(id ID, at Address) error {
	s := c.parts.At(at)
	if s == nil {
		return fmt.Errorf("txn: there is no partition %v", at)
	}
	home, err := c.home(id)
	if err != nil {
		return err
	}
	if s.HasBranch(id) {
		return use(home, s, id)
	}
	c.joining.Lock()
	defer c.joining.Unlock()
	if s.HasBranch(id) {
		return use(home, s, id)
	}
	if _, ok := c.committing[id]; ok {
		return ErrCommitting
	}
	// The order matters: a branch unknown to the home would not be committed with the rest.
	if err := home.Enlist(id.Number, at); err != nil {
		return err
	}
	if err := s.Join(id); err != nil {
		return err
	}
	if !slices.Contains(home.Participants(id.Number), at) {
		// The transaction ended in between, and its branches may have been told before this one existed.
		c.background("abort a late branch", id.String(), c.telling(id, []Address{at}))
		return ErrEnded
	}
	return nil
}

// use returns an error if a transaction has ended although a partition still has its branch. The transaction may have
// ended just now, with its lease: a caller that gets the error finds no trace of it.
func use(home Home, s Host, id ID) error {
	if home.Alive(id.Number) {
		return nil
	}
	s.Drop(id)
	return ErrEnded
}

// home returns the home of a transaction, or ErrNoHome.
func (c *Coordinator) home(id ID) (Partition, error) {
	if s := c.parts.At(id.Home()); s != nil {
		return s, nil
	}
	return nil, fmt.Errorf("%w: partition %v", ErrNoHome, id.Home())
}
