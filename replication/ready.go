package replication

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// ready loads the state of the newest good snapshot if the log goes on after it. Otherwise the log was shortened while
// this node was away, or the node is new, and it fetches another node's snapshot.
func (l *shared) ready(ctx context.Context) error {
	ctx, cancel := l.bound(ctx)
	defer cancel()
	useless := map[offer]bool{}
	for {
		p, h, err := l.newest()
		if err != nil {
			return err
		}
		first, found, err := l.look(ctx, max(p, 1))
		switch {
		case err != nil:
			return err
		case !found, first.pos <= 1:
			return nil
		case first.pos == p && first.time == h.Stored:
			return nil
		case first.pos == p:
			l.discount(p)
			continue
		}
		if err := l.fetchSnapshot(ctx, first.pos-1, useless); err != nil {
			return err
		}
	}
}

// newest returns the position and the header of the newest snapshot that can be used, and removes damaged ones.
func (l *shared) newest() (uint64, SnapshotHeader, error) {
	positions, err := l.Snapshots()
	if err != nil {
		return 0, SnapshotHeader{}, err
	}
	for _, p := range positions {
		if !l.usable(p) {
			continue
		}
		h, err := readSnapshotFile(l.snapshotPath(p), nil)
		if err == nil {
			err = l.fits(h, p)
		}
		switch {
		case err == nil:
			return p, h, nil
		case !errors.Is(err, ErrBadSnapshot):
			return 0, h, err
		}
		l.store.cfg.Logger.Error("snapshot_removed", "log", l.id.String(), "position", p, "error", err)
		if err := os.Remove(l.snapshotPath(p)); err != nil {
			return 0, h, fmt.Errorf("replication: %w", err)
		}
	}
	return 0, SnapshotHeader{}, nil
}

// usable returns false for damaged snapshots, and for all of a log that the cluster has lost.
func (l *shared) usable(position uint64) bool {
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	if l.emptied {
		return false
	}
	for _, p := range l.damaged {
		if p == position {
			return false
		}
	}
	return true
}
