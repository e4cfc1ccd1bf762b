package partition

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gospaces/gospaces/internal/engine"
	"github.com/gospaces/gospaces/internal/record"
)

// Replicas of a partition compare their states. From time to time the primary appends a record that marks the end of
// its message as an audited state. It and its followers draw an image of that state while they go on, and compute its
// checksum. The primary appends its own; a follower with another one discards its state.

// audit is what a replica knows of audits. Guarded by Partition.mu.
type audit struct {
	next    uint64 // position of the log at which the primary begins one
	running bool   // a checksum is being made
	ended   time.Time
	took    time.Duration // the last one

	own, told engine.Checked // the last checksums of this replica, not compared yet, and of the primary
	differs   bool           // the state of this follower

	compared, differed uint64
}

// auditShare is the minimum ratio of the pause after an audit to the time that the audit took.
const auditShare = 20

// errDiffers ends following.
var errDiffers = errors.New("partition: its state differs from that of the primary")

// auditInTime begins an audit if enough messages were appended since the last one. The lock is held.
func (p *Partition) auditInTime() {
	a := &p.audit
	if p.cfg.AuditEvery == 0 || p.commits.position < a.next || a.running || p.role != primary ||
		time.Since(a.ended) < auditShare*a.took {
		return
	}
	a.running = true
	p.done.Go(p.auditAsPrimary)
}

// auditAsPrimary tells the followers the checksum of the current state.
func (p *Partition) auditAsPrimary() {
	m, err := p.beginAudit()
	began := time.Now()
	var sum engine.Checked
	if err == nil {
		sum, err = m.checksum()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.audit.running, p.audit.next = false, p.commits.position+p.cfg.AuditEvery
	p.audit.ended, p.audit.took = time.Now(), time.Since(began)
	if err == nil && p.role == primary && p.e == m.e {
		p.e.TellChecksum(sum)
		p.commits.note(p.e)
	}
}

// beginAudit begins an image of the current state, and ends a message with it.
func (p *Partition) beginAudit() (*Imaging, error) {
	m, err := p.ReserveImage(p.ctx)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	if p.role != primary {
		defer m.Close()
		defer p.mu.Unlock()
		return nil, p.refusal()
	}
	defer p.mu.Unlock()
	p.e.BeginAudit()
	p.commits.note(p.e)
	m.begin(new(sync.Mutex))
	return m, nil
}

// checksum returns the checksum of an image that was begun, and closes it.
func (m *Imaging) checksum() (engine.Checked, error) {
	defer m.Close()
	to := new(checksumming)
	position, err := m.Take(m.p.ctx, func(uint64, record.Clock) (Image, error) { return to, nil })
	return engine.Checked{Position: position, Sum: to.sum}, err
}

// checksumming receives an image of which only the checksum is wanted.
type checksumming struct {
	engine.Checksum
	sum uint64
}

func (c *checksumming) Commit() error { c.sum = c.Sum(); return nil }
func (*checksumming) Abort() error    { return nil }

// auditAsFollower makes the audits in the message that was just applied. It leaves out one that begins while a snapshot
// is taken. The lock is held.
func (p *Partition) auditAsFollower() {
	a := &p.audit
	for _, of := range p.e.Checksums {
		a.told = of
		p.compareStates()
	}
	if !p.e.Audit || a.running {
		return
	}
	select {
	case p.imaging <- struct{}{}:
	default:
		return
	}
	m := &Imaging{p: p}
	m.begin(new(sync.Mutex))
	a.running = true
	p.done.Go(func() {
		sum, err := m.checksum()
		p.mu.Lock()
		defer p.mu.Unlock()
		a.running = false
		if err == nil && p.e == m.e {
			a.own = sum
			p.compareStates()
		}
	})
}

// compareStates compares the checksum of this replica with that of the primary, once both are known. A follower that
// differs does not lead any more, and rebuilds its state. The lock is held.
func (p *Partition) compareStates() {
	a := &p.audit
	if a.own.Position == 0 || a.own.Position != a.told.Position {
		return
	}
	own := a.own
	a.own = engine.Checked{}
	if a.compared++; own.Sum == a.told.Sum {
		return
	}
	a.differed++
	p.cfg.Logger.Error("the state differs from that of the primary, and is made anew: please report this as a bug",
		"position", own.Position, "checksum", hex(own.Sum), "primary", hex(a.told.Sum))
	if p.role == follower {
		a.differs = true
		p.stopFollowing(errDiffers)
	}
}

func hex(sum uint64) string { return fmt.Sprintf("%016x", sum) }

// forgetState makes a follower that differs from the primary rebuild its state, and not from its own images, which may
// differ as well.
func (p *Partition) forgetState() {
	m, err := p.ReserveImage(p.ctx) // none is being taken now
	if err != nil {
		return
	}
	defer m.Close()
	if err := p.cfg.Log.Distrust(); err != nil {
		p.cfg.Logger.Warn("images of a wrong state could not be removed", "error", err)
	}
	p.startOver(errDiffers)
}

// Audit returns a checksum of the state, and the position in the log up to which the log carries it. It reports false
// while changes are on their way to the log: then no position has exactly this state. Replicas of a partition have the
// same checksum at the same position. Audit visits the whole state, and calls wait meanwhile.
func (p *Partition) Audit() (hash, position uint64, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.role != primary && p.role != follower || p.role == primary && LSN(p.e.LSN()) != p.durable() {
		return 0, 0, false
	}
	return p.e.Hash(), p.commits.position, true
}
