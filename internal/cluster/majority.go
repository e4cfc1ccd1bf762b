package cluster

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gospaces/gospaces/internal/backoff"
)

// ErrNoMajority is returned for a change of the State that waits for a majority of the nodes with the control
// partition.
var ErrNoMajority = errors.New("cluster: no majority")

// WithMajority calls do, which needs a majority of the nodes that keep the control partition. It returns ErrNoMajority,
// without calling do, if there is none; and when there has been none for a while, which ends do's context: what do has
// begun may take effect later. Otherwise it returns do's error, or ctx's cause.
func (m *Member) WithMajority(ctx context.Context, do func(ctx context.Context) error) error {
	if err := m.awaitMajority(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		m.watchMajority(ctx, cancel)
	}()
	err := do(ctx)
	cause := context.Cause(ctx)
	cancel(nil)
	<-watched
	if err != nil && errors.Is(cause, ErrNoMajority) {
		return cause
	}
	return err
}

// awaitMajority waits until a majority is heard. It returns ErrNoMajority if that takes too long, and ctx's cause.
func (m *Member) awaitMajority(ctx context.Context) error {
	for m.majority(m.cfg.Timing.Suspect) != nil {
		if err := m.majority(m.patience()); err != nil {
			return err
		}
		if backoff.Sleep(ctx, m.cfg.Timing.Beat) != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

// watchMajority ends ctx, with ErrNoMajority, when there has been no majority for a while.
func (m *Member) watchMajority(ctx context.Context, cancel context.CancelCauseFunc) {
	for backoff.Sleep(ctx, m.cfg.Timing.Beat) == nil {
		if err := m.majority(m.patience()); err != nil {
			cancel(err)
			return
		}
	}
}

// patience is how long a majority may be silent while a change waits for it.
func (m *Member) patience() time.Duration { return 5 * m.cfg.Timing.Suspect }

// majority returns ErrNoMajority, with the nodes that are missing, unless a majority was heard within a time.
func (m *Member) majority(within time.Duration) error {
	if m.cfg.Store.Outside() { // the servers of NATS are what matters
		return nil
	}
	state, _ := m.control.State()
	keep := state.Founders
	if len(keep) == 0 {
		keep = m.cfg.controlNodes()
	}
	var gone []string
	for _, node := range keep {
		if m.sight.Silent(node) >= within {
			gone = append(gone, node)
		}
	}
	if there := len(keep) - len(gone); 2*there <= len(keep) {
		return fmt.Errorf("%w: %d of %d nodes are there; not there: %s", ErrNoMajority, there, len(keep),
			strings.Join(gone, ", "))
	}
	return nil
}
