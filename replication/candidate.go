package replication

import (
	"context"
	"fmt"
)

// claimable makes sure that a process that has only loaded a snapshot has one of this log. A follower has read what its
// claim follows.
func (l *shared) claimable(ctx context.Context, follows uint64) (as intent, err error) {
	if err := l.fit(); err != nil {
		return as, err
	}
	if err := l.proven(ctx, follows); err != nil {
		return as, err
	}
	as = intent{follows: follows, last: follows, incarnation: l.Incarnation()}
	if follows > 0 {
		return as, nil
	}
	as.incarnation = newIncarnation()
	as.loss, err = l.began(ctx)
	return as, err
}

// began returns how often the log was lost before, if this node knows that it has begun; 0 otherwise. The loss of a log
// that is not in memory must be accepted.
func (l *shared) began(ctx context.Context) (losses int, err error) {
	w, err := l.store.folder.readWitness(l.id)
	if err != nil || w.Incarnation == "" {
		return 0, err
	}
	made, err := l.made()
	if err != nil {
		return 0, err
	}
	if made != "" && w.Stream != "" && w.Stream != made {
		return 0, nil // another log of that name
	}
	st, err := l.serverState(ctx)
	switch {
	case err != nil:
		return 0, err
	case st.LastSeq > 0:
		return 0, fmt.Errorf("%w: %w", ErrFenced, errUnread)
	case !l.store.cfg.Cluster.Memory && !l.store.cfg.AcceptLoss:
		return 0, fmt.Errorf("%w: %v is empty in the cluster", ErrLost, l.id)
	}
	return w.Losses + 1, nil
}

func (l *shared) claimed(uint64, intent) error {
	l.setEmptied(false)
	return nil
}

// proven returns an error unless the log is known to hold what follows the state of a candidate.
func (l *shared) proven(ctx context.Context, follows uint64) error {
	at := l.known()
	if follows == 0 || at.read {
		return nil
	}
	found, ok, err := l.look(ctx, follows)
	switch {
	case err != nil:
		return err
	case !ok:
		return l.shorter(ctx, follows)
	case found.pos > follows:
		return l.gap(follows, found)
	}
	return l.prove(at, found)
}

// shorter returns the error for a log that ends before a candidate's state: either this node lags behind, or the
// cluster has lost the log.
func (l *shared) shorter(ctx context.Context, follows uint64) error {
	st, err := l.serverState(ctx)
	switch {
	case err != nil:
		return err
	case st.LastSeq >= follows:
		return fmt.Errorf("%w: position %d: %w", ErrFenced, follows, errUnread)
	}
	l.setEmptied(l.store.cfg.Cluster.Memory)
	return fmt.Errorf("%w: %v ends at position %d in the cluster; this node has a snapshot of position %d",
		ErrLost, l.id, st.LastSeq, follows)
}

func (l *shared) setEmptied(emptied bool) {
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	l.emptied = emptied
	if emptied {
		l.at = mark{}
	}
}
