package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"sync"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/txn"
)

// backups are the backups of this node that clients are reading.
type backups struct {
	// held while the images of one backup are reserved and begun: two that wait for each other's images would wait forever
	beginning sync.Mutex

	mu     sync.Mutex
	making int // guarded by mu; number that are not in byID yet
	// guarded by mu; the numbers are random, so that a number from before a restart names no other backup
	byID map[uint64]*backup
}

// backup is the snapshots of one moment. Their files are open, so they can be read to the end even if the names are
// removed.
type backup struct {
	parts []call.BackupPart
	files map[txn.Address]*os.File

	reading sync.RWMutex // held for reading while a file is read, for writing while files are closed
}

// Backup implements server.Backups.
func (n backend) Backup(ctx context.Context) (id uint64, parts []call.BackupPart, err error) {
	if err := n.backups.begin(); err != nil {
		return 0, nil, err
	}
	defer n.backups.end()
	images, err := n.beginBackup(ctx)
	defer closeImages(images)
	if err != nil {
		return 0, nil, fmt.Errorf("begin backup: %w", err)
	}
	sizes := map[string]int{}
	for _, m := range images {
		sizes[m.of.at.Space]++
	}
	return n.backups.take(ctx, images, sizes)
}

// take writes the images, and keeps the backup. sizes are the numbers of partitions of their spaces.
func (bs *backups) take(
	ctx context.Context, images []spaceImage, sizes map[string]int,
) (id uint64, parts []call.BackupPart, err error) {
	b, err := takeBackup(ctx, images, sizes)
	if err != nil {
		b.close()
		return 0, nil, fmt.Errorf("backup: %w", err)
	}
	bs.mu.Lock()
	defer bs.mu.Unlock()
	if bs.byID == nil {
		bs.byID = map[uint64]*backup{}
	}
	id = rand.Uint64()
	bs.byID[id] = b
	return id, b.parts, nil
}

// maxBackups is the maximum number of concurrent backups of a server: each keeps a snapshot of every space on disk.
const maxBackups = 8

// begin returns an error if there are maxBackups already. Otherwise the caller must call end once the backup is in
// byID, or has failed.
func (bs *backups) begin() error {
	bs.mu.Lock()
	defer bs.mu.Unlock()
	if n := len(bs.byID) + bs.making; n >= maxBackups {
		return fmt.Errorf("%w: %d backups are being made or copied; try again when one is done", call.ErrSpaceFull, n)
	}
	bs.making++
	return nil
}

func (bs *backups) end() {
	bs.mu.Lock()
	defer bs.mu.Unlock()
	bs.making--
}

// beginBackup begins images of all spaces at one moment.
func (n *Node) beginBackup(ctx context.Context) (images []spaceImage, err error) {
	n.backups.beginning.Lock()
	defer n.backups.beginning.Unlock()
	if images, err = n.reserveImages(ctx, images); err != nil { // they may have to wait for snapshots in progress
		return images, err
	}
	n.spaces.mu.Lock() // no space may be created between listing them and the moment
	defer n.spaces.mu.Unlock()
	if images, err = n.reserveImages(ctx, images); err != nil {
		return images, err
	}
	var all []*partition.Imaging
	for _, m := range images {
		all = append(all, m.Imaging)
	}
	return images, partition.BeginImages(all)
}

// spaceImage is an image of a partition.
type spaceImage struct {
	*partition.Imaging
	of *hosted
}

// reserveImages reserves an image of each partition that has none in images.
func (n *Node) reserveImages(ctx context.Context, images []spaceImage) ([]spaceImage, error) {
	for _, err := range n.spaces.refusals() {
		return images, err // it would be missing
	}
	for _, s := range n.spaces.all() {
		if slices.ContainsFunc(images, func(m spaceImage) bool { return m.of == s }) {
			continue
		}
		m, err := s.partition.ReserveImage(ctx)
		if err != nil {
			return images, fmt.Errorf("space %q: %w", s.at, err)
		}
		images = append(images, spaceImage{m, s})
	}
	return images, nil
}

func closeImages(images []spaceImage) {
	for _, m := range images {
		m.Close()
	}
}

// takeBackup writes snapshots of all images concurrently, and opens them. If one fails the others end.
func takeBackup(ctx context.Context, images []spaceImage, sizes map[string]int) (*backup, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	b := &backup{files: map[txn.Address]*os.File{}}
	var all sync.WaitGroup
	var mu sync.Mutex // guards b
	for _, m := range images {
		all.Go(func() {
			position, f, err := m.take(ctx)
			if err != nil {
				cancel(fmt.Errorf("space %q: %w", m.of.at, err))
				return
			}
			mu.Lock()
			defer mu.Unlock()
			b.files[m.of.at] = f
			b.parts = append(b.parts, call.BackupPart{At: m.of.at, Of: sizes[m.of.at.Space], Position: position})
		})
	}
	all.Wait()
	slices.SortFunc(b.parts, func(x, y call.BackupPart) int { return x.At.Compare(y.At) })
	return b, context.Cause(ctx)
}

// take writes the snapshot, opens it before another can replace it, and allows the next.
func (m spaceImage) take(ctx context.Context) (position uint64, f *os.File, err error) {
	defer m.Close()
	if position, err = m.of.snapshots.keep(ctx, m.Imaging); err == nil {
		f, err = m.of.log.OpenSnapshot(position)
	}
	return position, f, err
}

// ReadBackup implements server.Backups.
func (n backend) ReadBackup(id uint64, at txn.Address, offset int64, p []byte) (read int, size int64, err error) {
	n.backups.mu.Lock()
	b := n.backups.byID[id]
	n.backups.mu.Unlock()
	if b == nil {
		return 0, 0, errBackupOver
	}
	b.reading.RLock()
	defer b.reading.RUnlock()
	f := b.files[at]
	if f == nil {
		return 0, 0, fmt.Errorf("%w: no partition %v in this backup", call.ErrInvalidArgument, at)
	}
	info, err := f.Stat()
	if errors.Is(err, os.ErrClosed) {
		return 0, 0, errBackupOver
	}
	if err != nil {
		return 0, 0, err
	}
	if read, err = f.ReadAt(p, offset); errors.Is(err, io.EOF) {
		err = nil
	}
	return read, info.Size(), err
}

var errBackupOver = fmt.Errorf("%w: this backup is over: its client was away for too long, "+
	"or the server was restarted; make another", call.ErrUnavailable)

// EndBackup implements server.Backups.
func (n backend) EndBackup(id uint64) {
	n.backups.mu.Lock()
	b := n.backups.byID[id]
	delete(n.backups.byID, id)
	n.backups.mu.Unlock()
	if b != nil {
		b.close()
	}
}

func (b *backup) close() {
	b.reading.Lock()
	defer b.reading.Unlock()
	for _, f := range b.files {
		_ = f.Close() // opened for reading only
	}
}
