package replication

import (
	"fmt"
	"sync"
	"syscall"
	"time"
)

// diskLook is the maximum age of a measurement of the free disk space.
const diskLook = time.Second

// disk refuses appends before the disk is full: a stream that has once failed to write stays frozen until the embedded
// server restarts, and a full disk hurts all other programs on the machine. The less room is left, the more often it is
// measured.
type disk struct {
	path string
	keep int64 // must remain free

	mu     sync.Mutex
	left   int64     // guarded by mu: bytes that may be written before the next measurement
	looked time.Time // guarded by mu
	every  time.Duration
}

func newDisk(path string, keep int64) *disk { return &disk{path: path, keep: keep, every: diskLook} }

// admit returns ErrFull if n more bytes would leave too little.
func (d *disk) admit(n int) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.left -= int64(n)
	if d.left > 0 && time.Since(d.looked) < d.every {
		return nil
	}
	free, err := freeBytes(d.path)
	if err != nil {
		return fmt.Errorf("%w: free space of %s: %w", ErrFailed, d.path, err)
	}
	room := free - d.keep - int64(n)
	if room < 0 {
		d.left = 0
		return fmt.Errorf("%w: %d bytes free on the disk of %s, %d must remain", ErrFull, free, d.path, d.keep)
	}
	d.left, d.looked = room/2, time.Now() // half, since others write to the disk too
	return nil
}

// admitPurge returns ErrFull if the embedded server might fail to write its notes of a purge for lack of free space: it
// would then wait for itself forever (nats-server 2.15.2, fileStore.compactLocked).
func (d *disk) admitPurge() error {
	free, err := freeBytes(d.path)
	if err != nil {
		return fmt.Errorf("%w: free space of %s: %w", ErrFailed, d.path, err)
	}
	if need := d.keep / 2; free < need {
		return fmt.Errorf("%w: %d bytes free on the disk of %s, a purge needs %d", ErrFull, free, d.path, need)
	}
	return nil
}

// room returns how many bytes may be written, or a lower bound that is enough. It measures if it has to.
func (d *disk) room(enough int64) int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.left >= enough && time.Since(d.looked) < d.every {
		return d.left
	}
	free, err := freeBytes(d.path)
	if err != nil {
		return enough // the next append will report the error
	}
	room := max(0, free-d.keep)
	d.left, d.looked = room/2, time.Now()
	return room
}

// Room returns how many bytes may be appended before the disk is too full, or a lower bound that is enough. It does not
// block.
func (l *Log) Room(enough int64) int64 { return l.store.disk.room(enough) }

func freeBytes(path string) (int64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(path, &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * int64(st.Bsize), nil
}
