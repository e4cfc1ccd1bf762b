package partition

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/engine"
	"github.com/gospaces/gospaces/internal/record"
)

// Image receives an image of the state, in pieces of whole records, and keeps it. Commit or Abort ends it.
type Image interface {
	Write(records []byte) error
	Commit() error
	Abort() error
}

// BeginImage returns the receiver of an image: of the state at a position of the log, at which the partition had the
// given clock.
type BeginImage func(position uint64, clock record.Clock) (Image, error)

// errNoLog is returned by Snapshot for a partition without a log, which could not continue from a snapshot.
var errNoLog = fmt.Errorf("%w: a space without a log has no snapshots", call.ErrInvalidArgument)

const (
	// drawn is the number of entries drawn under one hold of the lock.
	drawn = 128
	// written is the number of bytes of records written at a time.
	written = 256 << 10
)

// Snapshot takes an image of the current state while the partition continues to serve, and returns the position of the
// last group of the log in the image. begin is called with that position and returns the receiver. There is one
// snapshot at a time. Snapshot blocks until the image is committed, or ctx ends or the log fails: then it is aborted.
func (p *Partition) Snapshot(ctx context.Context, begin BeginImage) (position uint64, err error) {
	m, err := p.ReserveImage(ctx)
	if err != nil {
		return 0, err
	}
	defer m.Close()
	if err := BeginImages([]*Imaging{m}); err != nil {
		return 0, err
	}
	return m.Take(ctx, begin)
}

// Imaging is an image of a partition: it is reserved, begun by BeginImages, taken, and closed. It must not be used
// concurrently.
type Imaging struct {
	p      *Partition
	e      *engine.Engine
	image  *engine.Image // nil until begun
	clock  record.Clock  // of its moment
	stored chan uint64   // its position, once the log has everything in it
	failed chan struct{} // closed when the log fails
	turn   *sync.Mutex   // held while entries are drawn for one of the images that were begun together
	pace   pace
	closed bool
}

// ReserveImage waits until no image of the partition is being taken, and prevents others until Close. It returns ctx's
// error if ctx ends first.
func (p *Partition) ReserveImage(ctx context.Context) (*Imaging, error) {
	if p.cfg.Log == nil {
		return nil, errNoLog
	}
	select {
	case p.imaging <- struct{}{}:
		return &Imaging{p: p}, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// BeginImages begins images of different partitions, all of one moment: if a change in one image was made with
// knowledge of another partition, that knowledge is in the other image. Of a transaction over several partitions they
// have the decision and at least prepared branches, or no decision. BeginImages does not wait for a log, and returns an
// error if one of the partitions neither serves nor follows.
func BeginImages(ms []*Imaging) error {
	of := make(map[*Partition]*Imaging, len(ms))
	var ps []*Partition
	for _, m := range ms {
		of[m.p], ps = m, append(ps, m.p)
	}
	slices.SortFunc(ps, byAddress)
	var errs []error
	turn := new(sync.Mutex)
	together(ps, func(p *Partition) {
		if p.err != nil && p.role != follower {
			errs = append(errs, fmt.Errorf("space %q: %w", p.cfg.Address.String(), p.refusal()))
			return
		}
		of[p].begin(turn)
	})
	return errors.Join(errs...)
}

// begin begins the image, which takes turns with others. The partition's lock is held.
func (m *Imaging) begin(turn *sync.Mutex) {
	m.turn = turn
	p, cs := m.p, &m.p.commits
	stored := make(chan uint64, 1)
	if len(p.e.Log) > record.HeaderSize {
		cs.seal(p.e)
	}
	m.e, m.stored, m.failed = p.e, stored, p.failed
	m.clock, m.image = p.clock.read(), p.e.BeginImage()
	b := cs.newest()
	if b == nil {
		stored <- cs.position
		return
	}
	b.stored = append(b.stored, func() { stored <- p.cfg.Log.Last() })
	cs.rouse(p.e)
}

// Close ends the image, taken or not, and allows the next. It is idempotent.
func (m *Imaging) Close() {
	if m.closed {
		return
	}
	m.closed = true
	if m.image != nil {
		m.p.mu.Lock()
		m.image.Close()
		m.p.mu.Unlock()
	}
	<-m.p.imaging
}

// Take takes an image that was begun, and returns its position: that of the last group of the log in it, with which
// begin is called. It blocks until the image is committed, or ctx ends or the log fails: then it is aborted.
func (m *Imaging) Take(ctx context.Context, begin BeginImage) (position uint64, err error) {
	if position, err = m.awaitStored(ctx); err != nil {
		return 0, err
	}
	to, err := begin(position, m.clock)
	if err != nil {
		return 0, err
	}
	if err := m.draw(ctx, position, to); err != nil {
		return 0, errors.Join(err, to.Abort())
	}
	return position, to.Commit()
}

// awaitStored waits for the position of an image.
func (m *Imaging) awaitStored(ctx context.Context) (uint64, error) {
	select {
	case position := <-m.stored:
		return position, nil
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	case <-m.failed:
		return 0, fmt.Errorf("%w: the log has failed", call.ErrUnavailable)
	case <-m.p.ctx.Done():
		return 0, call.ErrClosed
	}
}

// draw draws the image a few entries at a time, after what registrations have not collected.
func (m *Imaging) draw(ctx context.Context, position uint64, to Image) error {
	left := -1
	err := m.drawAll(ctx, to, func(buf []byte) ([]byte, bool) {
		left = m.p.overListeners(left, func(l *listener) { buf = m.p.appendUnread(buf, l, position) })
		return buf, left == 0
	})
	if err != nil {
		return err
	}
	return m.drawAll(ctx, to, func(buf []byte) ([]byte, bool) { return m.image.Draw(buf, drawn) })
}

// drawAll calls some, with the partition's lock held, until that has drawn everything.
func (m *Imaging) drawAll(ctx context.Context, to Image, some func(buf []byte) (_ []byte, done bool)) error {
	var buf []byte
	for done := false; !done; {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		var err error
		if buf, done, err = m.step(buf, to, some); err != nil {
			return err
		}
	}
	return nil
}

// step draws a few entries, writes if there is enough, and rests. Images that were begun together take turns.
func (m *Imaging) step(
	buf []byte, to Image, some func([]byte) ([]byte, bool),
) (_ []byte, done bool, err error) {
	m.turn.Lock()
	defer m.turn.Unlock()
	began := time.Now()
	if buf, done, err = m.drawSome(buf, some); err != nil {
		return nil, false, err
	}
	if len(buf) >= written || done && len(buf) > 0 {
		if err := to.Write(buf); err != nil {
			return nil, false, err
		}
		buf = buf[:0]
	}
	m.pace.rest(time.Since(began))
	return buf, done, nil
}

// drawSome draws a few entries. The image is invalid if the state was rebuilt.
func (m *Imaging) drawSome(
	buf []byte, some func([]byte) ([]byte, bool),
) (_ []byte, done bool, err error) {
	p := m.p
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.e != m.e || p.role == closed {
		return nil, false, fmt.Errorf("%w: the state is being rebuilt", call.ErrUnavailable)
	}
	buf, done = some(buf)
	return buf, done, nil
}
