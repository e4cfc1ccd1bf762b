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
	// ErrEnded is returned by Join and Commit for a transaction that has ended meanwhile.
	ErrEnded = errors.New("txn: the transaction has ended")
	// ErrCommitting is returned by Join for a transaction that is being committed.
	ErrCommitting = errors.New("txn: the transaction is being committed")
	// ErrAborted is returned by Commit when a partition could not prepare: nothing has happened anywhere.
	ErrAborted = errors.New("txn: aborted")
)

// Coordinator runs two-phase commit between the partitions of one process. All methods may be called concurrently.
type Coordinator struct {
	parts  Partitions
	logger *slog.Logger
	ctx    context.Context // of everything in the background; ends with Close
	cancel context.CancelFunc

	// joining makes enlisting and joining one step, and keeps them apart from the start of a commit. It is taken before
	// any lock of a partition; mu after them all.
	joining    sync.Mutex
	committing map[ID]chan struct{} // guarded by joining; closed when the commit has ended

	mu     sync.Mutex
	closed bool           // guarded by mu
	jobs   sync.WaitGroup // added to under mu, and not after closed
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

// Close ends what goes on in the background, without finishing it: Recover takes it up again. Commits under way return
// an error, or succeed. It is idempotent.
func (c *Coordinator) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.cancel()
	c.jobs.Wait()
}

// Join makes sure that the partition at an address has a branch of transaction id, and that its home knows. It does not
// wait for any log. It returns ErrNoHome, ErrCommitting, ErrEnded, or the error of the home or the partition: the
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
	// In this order: a branch that the home does not know would not be committed with the rest.
	if err := home.Enlist(id.Number, at); err != nil {
		return err
	}
	if err := s.Join(id); err != nil {
		return err
	}
	if !slices.Contains(home.Participants(id.Number), at) {
		// It ended in between, and its branches may have been told before this one existed.
		c.background("abort a late branch", id.String(), c.telling(id, []Address{at}))
		return ErrEnded
	}
	return nil
}

// use returns an error if a transaction has ended, of which a partition has a branch. It may have ended just now, with
// its lease: a caller that is told so finds nothing of it any more.
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
