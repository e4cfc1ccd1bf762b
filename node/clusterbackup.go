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

// BackupRequest is a step of a backup. Each backup has an ID of its own, which the client has made up: a node takes
// part in one at a time.
type BackupRequest struct {
	ID   string     `json:"id"`
	Step BackupStep `json:"step"`
}

// BackupStep is a step before the backup of a node.
type BackupStep string

const (
	HoldCommits    BackupStep = "hold"    // commits over several partitions wait, for holdLimit at most
	BeginImages    BackupStep = "begin"   // what the node leads is imaged, for the next backup
	ReleaseCommits BackupStep = "release" // commits go on; fails if they did before
	AbandonBackup  BackupStep = "abandon" // commits go on, and images are given up
)

const (
	// holdLimit is the time after which commits go on by themselves, and the backup has failed.
	holdLimit = 10 * time.Second
	// imagesLimit is the time for which images wait for their backup.
	imagesLimit = time.Minute
)

var (
	errOther = fmt.Errorf("%w: another backup is about to begin; try again in a minute", call.ErrUnavailable)
	errLate  = fmt.Errorf("%w: not all nodes had begun the backup after %v, and commits went on; try again",
		call.ErrUnavailable, holdLimit)
)

// backupHere is the part of this node in a backup of the cluster that is about to be made.
type backupHere struct {
	mu      sync.Mutex
	id      string       // guarded by mu; "": there is none
	release func()       // guarded by mu; nil: nothing is held
	images  []spaceImage // guarded by mu
	limit   *time.Timer  // guarded by mu; ends it
}

// begin makes the backup with an id the one of this node.
func (b *backupHere) begin(id string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if id == "" || b.id != "" {
		return errOther
	}
	b.id = id
	return nil
}

// end gives the backup with an id up, if it is the one of this node.
func (b *backupHere) end(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.id == id {
		b.endLocked()
	}
}

// close gives up whatever there is.
func (b *backupHere) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.endLocked()
}

func (b *backupHere) endLocked() {
	b.releaseLocked()
	closeImages(b.images)
	b.id, b.images = "", nil
	if b.limit != nil {
		b.limit.Stop()
		b.limit = nil
	}
}

func (b *backupHere) releaseLocked() {
	if b.release != nil {
		b.release()
		b.release = nil
	}
}

// holds reports whether commits wait for the backup with an id.
func (b *backupHere) holds(id string) bool { return b.id == id && b.release != nil }

// take returns the images for the backup that is made now, or nil.
func (b *backupHere) take() []spaceImage {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.release != nil {
		return nil // other nodes may not have begun
	}
	images := b.images
	b.images = nil
	b.endLocked()
	return images
}

// stepBackup takes a step.
func (f *fleet) stepBackup(ctx context.Context, r *BackupRequest) error {
	switch r.Step {
	case HoldCommits:
		return f.holdCommits(ctx, r.ID)
	case BeginImages:
		return f.beginImages(ctx, r.ID)
	case ReleaseCommits:
		return f.begun.releaseCommits(r.ID)
	case AbandonBackup:
		f.begun.end(r.ID)
		return nil
	}
	return fmt.Errorf("%w: %q is no step of a backup", call.ErrInvalidArgument, r.Step)
}

func (f *fleet) holdCommits(ctx context.Context, id string) error {
	b := &f.begun
	if err := b.begin(id); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, holdLimit)
	defer cancel()
	release, free, err := f.spans.Hold(ctx)
	switch {
	case !free:
		err = errOther
	case err != nil:
		err = fmt.Errorf("%w: transactions over several spaces are not carried out: %w", call.ErrUnavailable, err)
	}
	if err != nil {
		b.end(id)
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.id != id { // the node stops
		release()
		return errLate
	}
	b.release, b.limit = release, time.AfterFunc(holdLimit, func() { b.end(id) })
	return nil
}

func (b *backupHere) releaseCommits(id string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.holds(id) {
		return errLate
	}
	b.releaseLocked()
	b.limit.Reset(imagesLimit)
	return nil
}

// beginImages begins images of what this node leads, at one moment.
func (f *fleet) beginImages(ctx context.Context, id string) error {
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
	if !b.holds(id) || b.images != nil {
		closeImages(images)
		return errLate
	}
	b.images = images
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
	images := f.begun.take()
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
