package replication

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// ErrLost is returned by Store.Log for a log that is missing, or has lost its end, although the folder remembers it.
// The text names the positions. Config.AcceptLoss continues with what is left.
var ErrLost error = unreadable("replication: log lost")

// findLoss returns ErrLost if the folder remembers more of the log than exists. If the loss is accepted, the log
// continues without that instead.
func (l *alone) findLoss(ctx context.Context) error {
	w, err := l.store.folder.readWitness(l.id)
	if err != nil {
		return err
	}
	if w.Stream == l.stream {
		l.incarnation = w.Incarnation
	}
	lost, err := l.loss(ctx, w)
	if err != nil || lost == nil {
		return err
	}
	if !l.store.cfg.AcceptLoss && !w.Lost {
		return lost
	}
	l.store.cfg.Logger.Warn("loss_accepted", "log", l.id.String(), "loss", lost)
	return l.acceptLoss(w)
}

// loss returns what is missing from the log, wrapped in ErrLost; nil if nothing is.
func (l *alone) loss(ctx context.Context, w witness) (lost, err error) {
	st, err := l.serverState(ctx)
	if err != nil {
		return nil, err
	}
	end, err := l.lastThere(ctx, st)
	if errors.Is(err, ErrDamaged) {
		return nil, nil // reported by CatchUp
	}
	if err != nil {
		return nil, err
	}
	p, h, err := l.newestGood()
	if err != nil {
		return nil, err
	}
	snapshot := aboutSnapshot(p)
	switch {
	case w.Lost:
		return fmt.Errorf("%w: %v: it was accepted before", ErrLost, l.id), nil
	case w.Stream != "" && w.Stream != l.stream, w.Stream == "" && p > 0 && h.Incarnation != l.incarnation && end == 0:
		return fmt.Errorf("%w: %v is not there; it had reached position %d, and %s",
			ErrLost, l.id, max(w.Reached, p), snapshot), nil
	case end < w.Reached:
		return endLost(l.id, end, w.Reached, p), nil
	}
	return nil, nil
}

// endLost returns ErrLost for a log that ends before a position that it had reached.
func endLost(id logID, end, reached, snapshot uint64) error {
	return fmt.Errorf("%w: %v ends at position %d; it had reached position %d, and %s", ErrLost, id, end, reached,
		aboutSnapshot(snapshot))
}

func aboutSnapshot(position uint64) string {
	if position == 0 {
		return "there is no good snapshot of it"
	}
	return fmt.Sprintf("its newest good snapshot is of position %d", position)
}

// newestGood returns the position and the header of the newest complete snapshot, of any log; 0 if there is none.
func (l *alone) newestGood() (position uint64, h SnapshotHeader, err error) {
	return l.store.folder.newestGood(l.id)
}

func (f *folder) newestGood(id logID) (position uint64, h SnapshotHeader, err error) {
	positions, err := f.snapshots(id)
	for _, p := range positions {
		if h, err := readSnapshotFile(f.snapshotPath(id, p), nil); err == nil && h.Position == p {
			return p, h, nil
		}
	}
	return 0, h, err
}

// acceptLoss makes the log another incarnation, which continues from the newest good snapshot. Everything is kept:
// snapshots beside their old names.
func (l *alone) acceptLoss(w witness) error {
	if w.Stream != l.stream || !w.Lost { // otherwise a crash has interrupted this
		l.incarnation = newIncarnation()
		if err := l.store.writeWitness(l.id,
			witness{Stream: l.stream, Incarnation: l.incarnation, Lost: true, Losses: w.Losses + 1}); err != nil {
			return err
		}
	}
	p, h, err := l.newestGood()
	if err != nil || p == 0 {
		return err
	}
	if h.Incarnation != l.incarnation {
		if err := l.adopt(p, h); err != nil {
			return err
		}
	}
	return l.setAsideOthers()
}

// adopt turns a snapshot of the earlier log into one of this log.
func (l *alone) adopt(position uint64, h SnapshotHeader) error {
	h.Incarnation = l.incarnation
	s, err := l.writeSnapshot(h)
	if err != nil {
		return err
	}
	if _, err := readSnapshotFile(l.snapshotPath(position), s.Write); err != nil {
		return errors.Join(err, s.Abort())
	}
	return s.Commit()
}

// setAsideOthers renames the snapshots of other logs, so that this log ignores them.
func (l *alone) setAsideOthers() error {
	positions, err := l.Snapshots()
	for _, p := range positions {
		if other := l.otherAt(p); other != "" {
			err = errors.Join(err, os.Rename(l.snapshotPath(p), l.asidePath(p, other)))
		}
	}
	return err
}

// keepOther sets a snapshot of another log aside before one of this log takes its name.
func (l *Log) keepOther(position uint64) error {
	other := l.otherAt(position)
	if other == "" {
		return nil
	}
	err := os.Link(l.snapshotPath(position), l.asidePath(position, other))
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	return err
}

// otherAt returns the incarnation of the snapshot at a position if that is not one of this log; "" if it is, is not
// readable, or is not there.
func (l *Log) otherAt(position uint64) string {
	f, err := os.Open(l.snapshotPath(position))
	if err != nil {
		return ""
	}
	defer f.Close()
	r := newBlockReader(f)
	if h, err := r.header(); err == nil && h.Incarnation != l.Incarnation() {
		return h.Incarnation
	}
	return ""
}

func (l *Log) asidePath(position uint64, incarnation string) string {
	return l.snapshotPath(position) + "." + incarnation
}
