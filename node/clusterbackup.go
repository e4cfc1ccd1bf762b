package node

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/txn"
)

// A backup of a cluster is made of backups of its nodes, each of which has the partitions that it leads. The client
// takes the steps on all nodes, one after the other. Nodes have no instant in common, but no transaction over several
// partitions is decided between the first image and the last: so each is in the backup as a whole, or not at all.

// BackupStep is a step before the backup of a node.
type BackupStep string

const (
	HoldCommits    BackupStep = "hold"    // commits over several partitions wait, for holdLimit at most
	BeginImages    BackupStep = "begin"   // what the node leads is imaged, for the next backup
	ReleaseCommits BackupStep = "release" // commits go on
)

const (
	// holdLimit is the time after which commits go on by themselves.
	holdLimit = 10 * time.Second
	// imagesLimit is the time for which images wait for their backup.
	imagesLimit = time.Minute
)

// backupHere is the part of this node in a backup of the cluster that is about to be made.
type backupHere struct {
	mu      sync.Mutex
	release func()       // guarded by mu; nil: nothing is held
	images  []spaceImage // guarded by mu
	limit   *time.Timer  // guarded by mu; closes the images
}

func (b *backupHere) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.releaseLocked()
	closeImages(b.images)
	b.images = nil
}

func (b *backupHere) releaseLocked() {
	if b.release != nil {
		b.release()
		b.release = nil
	}
}

// stepBackup takes a step.
func (f *fleet) stepBackup(ctx context.Context, step BackupStep) error {
	switch b := &f.begun; step {
	case HoldCommits:
		return f.holdCommits(ctx)
	case BeginImages:
		return f.beginImages(ctx)
	case ReleaseCommits:
		b.mu.Lock()
		defer b.mu.Unlock()
		b.releaseLocked()
		return nil
	}
	return fmt.Errorf("%w: %q is no step of a backup", call.ErrInvalidArgument, step)
}

func (f *fleet) holdCommits(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, holdLimit)
	defer cancel()
	release, free, err := f.spans.Hold(ctx)
	switch {
	case !free:
		return fmt.Errorf("%w: another backup is about to begin; try again", call.ErrUnavailable)
	case err != nil:
		return fmt.Errorf("%w: transactions over several spaces are not carried out: %w", call.ErrUnavailable, err)
	}
	time.AfterFunc(holdLimit, release) // if the client is gone
	f.begun.mu.Lock()
	defer f.begun.mu.Unlock()
	f.begun.release = release
	return nil
}

// beginImages begins images of what this node leads, at one moment.
func (f *fleet) beginImages(ctx context.Context) (err error) {
	var images []spaceImage
	var all []*partition.Imaging
	for at, s := range f.all() {
		if s.partition.Err() != nil {
			continue
		}
		m, err := s.partition.ReserveImage(ctx)
		if err != nil {
			closeImages(images)
			return fmt.Errorf("space %q: %w", at, err)
		}
		images, all = append(images, spaceImage{m, s}), append(all, m)
	}
	if err := partition.BeginImages(all); err != nil {
		closeImages(images)
		return err
	}
	b := &f.begun
	b.mu.Lock()
	defer b.mu.Unlock()
	closeImages(b.images)
	b.images = images
	if b.limit == nil {
		b.limit = time.AfterFunc(imagesLimit, f.begun.close)
	} else {
		b.limit.Reset(imagesLimit)
	}
	return nil
}

var errNotBegun = fmt.Errorf("%w: a node of a cluster has only a part of a backup: gospaces backup asks all nodes",
	call.ErrInvalidArgument)

// Backup implements server.Backups, with the images that were begun.
func (b afloat) Backup(ctx context.Context) (id uint64, parts []call.BackupPart, err error) {
	if err := b.backups.begin(); err != nil {
		return 0, nil, err
	}
	defer b.backups.end()
	f := b.fleet
	f.begun.mu.Lock()
	images := f.begun.images
	f.begun.images = nil
	f.begun.mu.Unlock()
	if images == nil {
		return 0, nil, errNotBegun
	}
	defer closeImages(images)
	sizes := map[string]int{}
	for _, m := range images {
		sizes[m.of.at.Space] = f.partitions(m.of.at.Space)
	}
	id, parts, err = b.backups.take(ctx, images, sizes)
	if err != nil && !errors.Is(err, call.ErrSpaceFull) {
		err = fmt.Errorf("%w: %w", call.ErrUnavailable, err)
	}
	return id, parts, err
}

// ReadBackup implements server.Backups.
func (b afloat) ReadBackup(id uint64, at txn.Address, offset int64, p []byte) (read int, size int64, err error) {
	return backend(b).ReadBackup(id, at, offset, p)
}

// EndBackup implements server.Backups.
func (b afloat) EndBackup(id uint64) { backend(b).EndBackup(id) }
