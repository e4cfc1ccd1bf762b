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
	// ErrNoHome is returned for a transaction whose home this process does not serve.
	ErrNoHome = errors.New("txn: the transaction's home does not exist")
	// ErrEnded is returned by Join and Commit if the transaction has already ended.
	ErrEnded = errors.New("txn: the transaction has ended")
	// ErrCommitting is returned by Join while the transaction is being committed.
	ErrCommitting = errors.New("txn: the transaction is being committed")
	// ErrAborted is returned by Commit if a partition could not prepare: the transaction has no effect anywhere.
	ErrAborted = errors.New("txn: aborted")
)

// Coordinator runs the two-phase commit of the transactions that begin in the partitions of one process, and ends the
// branches that these have of others. All methods may be called concurrently.
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

// Join ensures that the partition at an address has a branch of transaction id, and that the home knows of it. This
// process serves both. It does
// not wait for a log. It returns ErrNoHome, ErrCommitting, ErrEnded, or the error of the home or the partition: the
// transaction has ended, or the partition does not serve.
func (c *Coordinator) Join(id ID, at Address) error {
	s := c.parts.Here(at)
	if s == nil {
		return fmt.Errorf("txn: there is no partition %v here", at)
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
	made, err := s.Join(id)
	if err != nil {
		return err
	}
	// It is not used before the home knows of it, or it would not be committed with the rest.
	if err := home.Enlist(id.Number, Branch{at, made}); err != nil {
		s.Drop(id)
		return err
	}
	return nil
}

// Enlist ensures that the home of a transaction, which this process serves, knows of a branch that another process has
// made, and is about to use: it is called before each use. It does not wait for a log, and returns the errors of Join.
// If it returns an error other than that of a home that does not serve, the branch must be dropped.
func (c *Coordinator) Enlist(id ID, b Branch) error {
	home, err := c.home(id)
	if err != nil {
		return err
	}
	c.joining.Lock()
	defer c.joining.Unlock()
	if _, ok := c.committing[id]; ok && !slices.Contains(home.Participants(id.Number), b) {
		return ErrCommitting
	}
	return home.Enlist(id.Number, b)
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

// home returns the home of a transaction if this process serves it, or ErrNoHome.
func (c *Coordinator) home(id ID) (Local, error) {
	if s := c.parts.Here(id.Home()); s != nil {
		return s, nil
	}
	return nil, fmt.Errorf("%w: partition %v", ErrNoHome, id.Home())
}
