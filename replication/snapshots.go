package replication

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/gospaces/gospaces/internal/record"
)

// keptSnapshots is the number of snapshots kept for a log: the newest, and one in reserve.
const keptSnapshots = 2

// SnapshotDir returns the folder of the log's snapshots, which may not exist yet.
func (l *Log) SnapshotDir() string { return l.store.snapshotDir(l.id) }

func (s *Store) snapshotDir(id logID) string { return s.folder.snapshotDir(id) }

func (f *folder) snapshotDir(id logID) string {
	return filepath.Join(f.path, snapshotsFolder, id.space+"-"+strconv.Itoa(id.partition))
}

const snapshotsFolder = "snapshots"

func (l *Log) snapshotPath(position uint64) string {
	return l.store.folder.snapshotPath(l.id, position)
}

func (f *folder) snapshotPath(id logID, position uint64) string {
	return filepath.Join(f.snapshotDir(id), fmt.Sprintf("%020d.snapshot", position))
}

// OpenSnapshot opens the snapshot at a position for reading. The caller must close it.
func (l *Log) OpenSnapshot(position uint64) (*os.File, error) {
	return os.Open(l.snapshotPath(position))
}

// Snapshots returns the positions of the log's snapshots, the newest first.
func (l *Log) Snapshots() ([]uint64, error) { return l.store.snapshots(l.id) }

func (s *Store) snapshots(id logID) ([]uint64, error) { return s.folder.snapshots(id) }

func (f *folder) snapshots(id logID) ([]uint64, error) {
	entries, err := os.ReadDir(f.snapshotDir(id))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("replication: %w", err)
	}
	var positions []uint64
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".snapshot")
		position, err := strconv.ParseUint(name, 10, 64)
		if ok && err == nil {
			positions = append(positions, position)
		}
	}
	slices.Sort(positions)
	slices.Reverse(positions)
	return positions, nil
}

// goodSnapshots is Snapshots without those that Load found damaged.
func (l *Log) goodSnapshots() ([]uint64, error) {
	positions, err := l.Snapshots()
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	return slices.DeleteFunc(positions, func(p uint64) bool { return slices.Contains(l.damaged, p) }), err
}

// removeOldSnapshots removes all but the newest good ones.
func (l *Log) removeOldSnapshots() error {
	positions, err := l.Snapshots()
	if err != nil {
		return err
	}
	good, err := l.goodSnapshots()
	if err != nil {
		return err
	}
	keep := good[:min(len(good), keptSnapshots)]
	var errs []error
	for _, p := range positions {
		if !slices.Contains(keep, p) && l.otherAt(p) == "" { // another log's snapshots are not removed
			errs = append(errs, os.Remove(l.snapshotPath(p)))
		}
	}
	return errors.Join(errs...)
}

// Load calls fn with the newest good snapshot and returns its position: CatchUp goes on from there. It reports a
// damaged snapshot and takes the one before; it returns ErrNewer at once. It returns 0, without a call, if there is
// none, and ErrBadSnapshot if only damaged ones are left of the space. fn gets whole records, which are valid only
// during the call; after an error of fn, which Load returns, the state that it was making is of no use. progress, if
// not nil, gets bytes.
func (l *Log) Load(
	ctx context.Context, fn func(records []byte) error, progress func(done, total uint64),
) (position uint64, clock record.Clock, err error) {
	if err := l.store.folder.check(); err != nil { // what is there now belongs to another server
		return 0, clock, err
	}
	_ = l.removeUnfinished() // they only use space
	if err := l.home.ready(ctx); err != nil {
		return 0, clock, fmt.Errorf("load snapshot of log %v: %w", l.id, err)
	}
	positions, err := l.Snapshots()
	if err != nil {
		return 0, clock, err
	}
	damaged := false
	for _, p := range positions {
		if !l.home.usable(p) {
			continue
		}
		path := l.snapshotPath(p)
		// It is read twice, since damage near its end must not leave half a state behind.
		h, err := readSnapshotFile(path, nil)
		damaged = damaged || err != nil
		if err == nil {
			err = l.fits(h, p)
		}
		if errors.Is(err, ErrNewer) { // it is good, and an older one is not the state
			return 0, clock, fmt.Errorf("load snapshot of log %v: %w", l.id, err)
		}
		if err != nil {
			l.store.cfg.Logger.Error("snapshot_damaged", "log", l.id.String(), "position", p, "error", err)
			l.discount(p)
			continue
		}
		return p, h.Clock, l.load(ctx, path, h, fn, progress)
	}
	if damaged && l.Last() == 0 { // it was everything: the space was restored or loaded, and has not changed since
		return 0, clock, fmt.Errorf("load snapshot of log %v: %w: there is no good one", l.id, ErrBadSnapshot)
	}
	return 0, clock, nil
}

// Distrust removes the snapshots on this node, because they lead to wrong states: Load then goes on from that of
// another node, or from the beginning of the log. It must not be called while one is taken.
func (l *Log) Distrust() error {
	positions, err := l.Snapshots()
	if err != nil {
		return err
	}
	var errs []error
	for _, p := range positions {
		if l.otherAt(p) == "" { // it is this log's
			errs = append(errs, os.Remove(l.snapshotPath(p)))
		}
	}
	return errors.Join(errs...)
}

// discount records that a snapshot is damaged, so that another is kept in reserve.
func (l *Log) discount(position uint64) {
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	if !slices.Contains(l.damaged, position) {
		l.damaged = append(l.damaged, position)
	}
}

// recount records that there is a good snapshot at a position.
func (l *Log) recount(position uint64) {
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	l.damaged = slices.DeleteFunc(l.damaged, func(p uint64) bool { return p == position })
}

// fits returns an error if a snapshot is known not to belong to this log.
func (l *Log) fits(h SnapshotHeader, position uint64) error {
	known := l.Incarnation()
	if known != "" && h.Incarnation != known || h.Position != position {
		return fmt.Errorf("%w: it is of log %s, position %d", ErrBadSnapshot, h.Incarnation, h.Position)
	}
	return nil
}

func (l *Log) load(ctx context.Context, path string, h SnapshotHeader, fn func([]byte) error,
	progress func(done, total uint64),
) error {
	var done, total uint64
	if info, err := os.Stat(path); err == nil {
		total = uint64(info.Size())
	}
	_, err := readSnapshotFile(path, func(records []byte) error {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		done += uint64(len(records))
		if progress != nil {
			progress(done, max(done, total))
		}
		return fn(records)
	})
	if err != nil {
		return fmt.Errorf("load snapshot of log %v: %w", l.id, err)
	}
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	l.claims, l.origin = claims{at: h.Claims, upto: h.Position}, h.Origin
	l.incarnation, l.at = h.Incarnation, mark{position: h.Position, time: h.Stored}
	return nil
}

// removeUnfinished removes the files of processes that were killed while they wrote a snapshot.
func (l *Log) removeUnfinished() error {
	left, err := os.ReadDir(l.SnapshotDir())
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, file := range left {
		if strings.HasPrefix(file.Name(), unfinishedSnapshot) || strings.HasPrefix(file.Name(), unfinishedFile) {
			err = errors.Join(err, os.Remove(filepath.Join(l.SnapshotDir(), file.Name())))
		}
	}
	return err
}

// claimsUpTo returns the positions at which epochs begin, up to a position.
func (l *Log) claimsUpTo(position uint64) []uint64 {
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	n, found := slices.BinarySearch(l.claims.at, position)
	if found {
		n++
	}
	return slices.Clone(l.claims.at[:n])
}

// Purge permanently removes the messages before a position from the log. Positions do not change. It keeps messages
// that are needed to continue from the older of the kept snapshots, and all of them while there are fewer good ones. It
// returns ErrFull if the disk has hardly any free space.
func (l *Log) Purge(ctx context.Context, before uint64) error {
	positions, err := l.goodSnapshots()
	if err != nil || len(positions) < keptSnapshots {
		return err
	}
	before = l.home.purgeable(min(before, positions[keptSnapshots-1]+1))
	if before <= l.Stats().First {
		return nil
	}
	return l.purge(ctx, before)
}

func (l *Log) purge(ctx context.Context, before uint64) error {
	if err := l.store.disk.admitPurge(); err != nil {
		return err
	}
	srv, err := l.store.server()
	if err != nil {
		return err
	}
	ctx, cancel := l.bound(ctx)
	defer cancel()
	st, err := srv.js.Stream(ctx, l.id.stream())
	if err != nil {
		return failedOr(ctx, err)
	}
	err = l.home.purging(func() error { return st.Purge(ctx, jetstream.WithPurgeSequence(before)) })
	if err != nil {
		return failedOr(ctx, fmt.Errorf("purge log %v: %w", l.id, err))
	}
	info, err := st.Info(ctx)
	if err != nil {
		return failedOr(ctx, err)
	}
	l.purged(info.State)
	return nil
}

// purged records the remaining part of the log, except for the latest appends.
func (l *Log) purged(st jetstream.StreamState) {
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	l.state.First, l.state.Messages, l.state.Bytes = st.FirstSeq, st.Msgs, int64(st.Bytes)
	l.state.Appended = max(l.state.Appended, l.state.Bytes)
	l.extent.begin(max(st.FirstSeq, 1)-1, l.state.Appended-l.state.Bytes)
}
