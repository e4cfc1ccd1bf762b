package partition

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/engine"
	"github.com/gospaces/gospaces/internal/record"
)

// batch is the content of one log message: the records of one or more calls, and the callers to be told when they are
// durable.
type batch struct {
	msg      []byte
	lsn      LSN // of the last record
	calls    int // that have records in it
	callers  []Caller
	group    *group   // of its events; nil: none
	ripening bool     // it is open and unhurried, and a timer runs
	stored   []func() // called without the lock once the log has the batch, before callers are told
}

// commits collects records into batches. Guarded by Partition.mu.
//
// One message is in flight; new records gather in the open batch. A large batch is sealed, so that messages stay near
// the size at which the log is fastest; a single call is never split.
type commits struct {
	logged   bool
	durable  LSN
	position uint64 // position in the log of the last durable batch
	inFlight *batch
	sealed   []*batch
	bytes    int   // of sealed and inFlight
	open     batch // its msg is the engine's Log during a call
	spare    [][]byte
	bursts   int   // callers in a burst of calls
	idle     bool  // the committer waits for work
	prompt   bool  // the log has taken the last message at once
	failed   error // of an append that the committer has not made
	last     bool  // no more is to come: what there is goes to the log, and the committer ends
	work     sync.Cond
	clock    *clock

	ripe    *time.Timer // fires when the open batch has been unhurried for long enough
	ripened bool        // the timer has fired
}

// sealSize is the size at which a batch takes no more calls.
const sealSize = 256 << 10

// begin starts sending records to the log.
func (cs *commits) begin(mu sync.Locker, ripened func()) {
	cs.logged, cs.last = true, false
	if cs.ripe != nil {
		return
	}
	cs.work.L = mu
	cs.ripe = time.AfterFunc(time.Hour, ripened)
	cs.ripe.Stop()
}

// buffer returns an empty message with room for the header.
func (cs *commits) buffer() []byte {
	if n := len(cs.spare); n > 0 {
		b := cs.spare[n-1]
		cs.spare = cs.spare[:n-1]
		return b[:record.HeaderSize]
	}
	return make([]byte, record.HeaderSize, 16<<10)
}

// recycle keeps a message for reuse, unless it is unusually large.
func (cs *commits) recycle(b []byte) {
	if cap(b) <= 4*sealSize && len(cs.spare) < 4 {
		cs.spare = append(cs.spare, b)
	}
}

// note takes the records that a call has appended to the engine's log.
func (cs *commits) note(e *engine.Engine) {
	if !cs.logged {
		e.Log, e.Unhurried, e.Changes = e.Log[:record.HeaderSize], record.HeaderSize, record.Changes{}
		return
	}
	if len(e.Log) == record.HeaderSize {
		return
	}
	e.Log = e.Changes.Mark(e.Log)
	cs.open.lsn = LSN(e.LSN())
	cs.open.calls++
	if len(e.Log) >= sealSize {
		cs.seal(e)
	}
	cs.rouse(e)
	cs.ripen(e)
}

// unhurried is how long a batch may stay open while no call waits for it.
const unhurried = time.Millisecond

// hurries reports whether the open batch should be sent soon: a call waits for it, or it holds more than takes of
// transactions. A take is usually followed by its commit, which goes in the same batch.
func (cs *commits) hurries(e *engine.Engine) bool {
	return len(e.Log) > e.Unhurried || len(cs.open.callers) > 0 || cs.ripened || cs.last
}

// ripen sends an open unhurried batch to the log after a while.
func (cs *commits) ripen(e *engine.Engine) {
	if !cs.open.ripening && len(e.Log) > record.HeaderSize && !cs.hurries(e) {
		cs.open.ripening = true
		cs.ripe.Reset(unhurried)
	}
}

// ripened is called when the open batch has been unhurried for long enough, or its successor has begun.
func (p *Partition) ripened() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if cs := &p.commits; cs.open.ripening {
		cs.ripened = true
		cs.rouse(p.e)
	}
}

// openGroup returns the group of the open batch.
func (cs *commits) openGroup() *group {
	if cs.open.group == nil {
		cs.open.group = new(group)
	}
	return cs.open.group
}

// rouse wakes the committer if it has something to do.
func (cs *commits) rouse(e *engine.Engine) {
	if cs.idle && cs.inFlight == nil && (cs.last || cs.due(e)) {
		cs.work.Signal()
	}
}

// due reports whether a batch is ready for the log and no caller is about to add to it.
func (cs *commits) due(e *engine.Engine) bool {
	return cs.bursts == 0 && (len(cs.sealed) > 0 || len(e.Log) > record.HeaderSize && cs.hurries(e))
}

const (
	// brief is the size up to which storing a message takes less time than waking the committer.
	brief = 8 << 10

	// promptly is how long the log may take for a message if its callers are to wait for the next one.
	promptly = 100 * time.Microsecond
)

// takeBrief returns the open batch, which is then in flight, if the goroutine that has filled it may send it to the
// log. Otherwise it returns nil, and the committer sends it.
func (cs *commits) takeBrief(e *engine.Engine) *batch {
	if !cs.prompt || !cs.idle || cs.inFlight != nil || cs.last || len(cs.sealed) > 0 || len(e.Log) > brief || !cs.due(e) {
		return nil
	}
	cs.inFlight = cs.next(e)
	return cs.inFlight
}

// seal closes the open batch and begins a new one.
func (cs *commits) seal(e *engine.Engine) {
	b := cs.open
	b.msg = e.Log
	record.SetClock(b.msg, cs.clock.read())
	cs.sealed = append(cs.sealed, &b)
	cs.bytes += len(b.msg)
	cs.open, cs.ripened = batch{}, false
	cs.empty(e)
}

// empty gives the engine an empty log.
func (cs *commits) empty(e *engine.Engine) {
	e.Log, e.Unhurried = cs.buffer(), record.HeaderSize
}

// next returns the oldest batch, or nil if there is none.
func (cs *commits) next(e *engine.Engine) *batch {
	if len(cs.sealed) == 0 {
		if len(e.Log) == record.HeaderSize || !cs.hurries(e) {
			return nil
		}
		cs.seal(e)
	}
	b := cs.sealed[0]
	cs.sealed = cs.sealed[1:]
	return b
}

// finish sends everything to the log, and ends the committer.
func (cs *commits) finish() {
	cs.last = true
	if cs.ripe != nil {
		cs.ripe.Stop()
		cs.work.Signal()
	}
}

// durable returns the LSN up to which outcomes may be shown.
func (p *Partition) durable() LSN {
	if !p.commits.logged {
		return LSN(p.e.LSN())
	}
	return p.commits.durable
}

// settled reports whether lsn is durable; if not, c will be told when it is.
func (p *Partition) settled(c Caller, lsn LSN) bool {
	cs := &p.commits
	if !cs.logged || lsn <= cs.durable {
		return true
	}
	cs.holding(lsn).tell(c)
	return false
}

// holding returns the batch with lsn, which is not durable.
func (cs *commits) holding(lsn LSN) *batch {
	if cs.inFlight != nil && lsn <= cs.inFlight.lsn {
		return cs.inFlight
	}
	for _, b := range cs.sealed {
		if lsn <= b.lsn {
			return b
		}
	}
	return &cs.open
}

// newest returns the latest closed batch that the log does not have yet, or nil.
func (cs *commits) newest() *batch {
	if n := len(cs.sealed); n > 0 {
		return cs.sealed[n-1]
	}
	return cs.inFlight
}

// tell adds c to the callers to be told. A caller is usually added once: a few busy callers make nearly all calls.
func (b *batch) tell(c Caller) {
	for i := len(b.callers) - 1; i >= 0 && i >= len(b.callers)-8; i-- {
		if b.callers[i] == c {
			return
		}
	}
	b.callers = append(b.callers, c)
}

// Begin announces that a caller is about to make several calls, which should share one commit. End or Store must follow
// soon, before the caller waits for anything. Neither Begin nor End waits for the log.
func (p *Partition) Begin() {
	p.mu.Lock()
	p.commits.bursts++
	p.mu.Unlock()
}

// End undoes Begin.
func (p *Partition) End() {
	p.mu.Lock()
	p.commits.bursts--
	p.commits.rouse(p.e)
	p.mu.Unlock()
}

// Store is End for a goroutine that may wait for the log. If the calls have left little, and the log is prompt, Store
// stores it itself, which is quicker than waking the committer.
func (p *Partition) Store() {
	p.mu.Lock()
	p.commits.bursts--
	b := p.commits.takeBrief(p.e)
	if b == nil {
		p.commits.rouse(p.e)
	} else {
		p.send()
	}
	p.mu.Unlock()
	if b == nil {
		return
	}
	if err := p.append(b); err != nil {
		p.mu.Lock()
		p.commits.failed = err
		p.commits.work.Signal()
		p.mu.Unlock()
	}
}

// commit sends one batch after the other to the log, and releases the outcomes that waited for it. It returns the log's
// error, or nil when no more is to come and everything is committed.
func (p *Partition) commit() error {
	for {
		b, err := p.nextBatch()
		if b == nil {
			return err
		}
		if err := p.append(b); err != nil {
			return err
		}
		if p.gathers(b) {
			time.Sleep(p.cfg.Gather)
		}
	}
}

// crowd is the number of calls in a message from which its callers are waited for.
const crowd = 8

// gathers reports whether the callers of b, which the log has, get time to make their next calls.
func (p *Partition) gathers(b *batch) bool {
	if p.cfg.Gather == 0 || b.calls < crowd {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.commits.sealed) == 0 && !p.commits.last
}

// nextBatch waits for a batch; it returns nil when no more is to come and everything is committed, or with the error of
// an append that another goroutine has made.
func (p *Partition) nextBatch() (*batch, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	cs := &p.commits
	for cs.failed == nil {
		if cs.inFlight == nil {
			if cs.inFlight = cs.next(p.e); cs.inFlight != nil {
				p.send()
				return cs.inFlight, nil
			}
			if cs.last {
				return nil, nil
			}
		}
		cs.idle = true
		cs.work.Wait()
		cs.idle = false
	}
	return nil, cs.failed
}

// send notes when the batch in flight is sent.
func (p *Partition) send() {
	if p.cfg.Lease > 0 {
		p.sending = p.clock.instant()
	}
}

// append sends the batch in flight to the log and releases the outcomes that waited for it.
func (p *Partition) append(b *batch) error {
	if err := p.cfg.Log.Append(b.msg); err != nil {
		return err
	}
	p.clock.check(p.cfg.Logger)
	took := time.Duration(p.clock.now() - record.ClockOf(b.msg).Space)
	position := p.cfg.Log.Last()
	p.mu.Lock()
	for len(b.stored) > 0 { // more may be added meanwhile
		stored := b.stored
		b.stored = nil
		p.mu.Unlock()
		for _, f := range stored {
			f()
		}
		p.mu.Lock()
	}
	cs := &p.commits
	cs.durable, cs.position = b.lsn, position
	cs.inFlight, cs.prompt = nil, took < promptly
	p.sent = p.sending
	cs.bytes -= len(b.msg)
	cs.recycle(b.msg)
	cs.rouse(p.e)
	if b.group != nil {
		b.group.position = position
		p.trimOverfull()
	}
	p.auditInTime()
	p.mu.Unlock()
	for _, c := range b.callers {
		c.Durable(b.lsn)
	}
	return nil
}

// stepDown ends everything pending, and rebuilds the state from the log, the only authority: outcomes that were not
// acknowledged are unknown, unless the log says that nothing was stored.
func (p *Partition) stepDown(cause error) {
	p.mu.Lock()
	if p.old == nil && !p.cfg.Standby { // otherwise it was not the primary, and earlier sessions continue
		p.old = p.e
	}
	if p.cfg.Standby {
		p.leaveSessions()
	}
	callers := p.commits.drop()
	if p.become(starting, fmt.Errorf("%w: the log failed and is being read again: %w", notReady(cause), cause)) {
		p.endWaits(p.refusal())
	}
	callers = append(callers, p.partAll()...)
	if p.role == starting {
		p.reset(LSN(p.e.LSN()))
	} else { // closed
		p.commits.empty(p.e)
	}
	close(p.failed)
	p.failed = make(chan struct{})
	lost := p.lost(cause)
	p.mu.Unlock()
	for _, c := range callers {
		c.Lost(lost)
	}
}

// lost returns the error of outcomes that a failed append has left open. The callers of a primary that was replaced
// repeat their calls at the next one. The lock is held.
func (p *Partition) lost(cause error) error {
	switch {
	case !notStored(cause):
		return fmt.Errorf("%w: %w", call.ErrOutcomeUnknown, cause)
	case p.cfg.Standby && fenced(cause):
		return p.refusal()
	}
	return fmt.Errorf("%w: %w", unavailable(cause), cause)
}

// drop removes what the log does not have, and returns the callers that wait for it.
func (cs *commits) drop() (callers []Caller) {
	for _, b := range append([]*batch{cs.inFlight, &cs.open}, cs.sealed...) {
		if b != nil { // none is in flight while the partition is read-only
			callers = append(callers, b.callers...)
		}
	}
	cs.inFlight, cs.sealed, cs.open, cs.bytes, cs.ripened, cs.failed = nil, nil, batch{}, 0, false, nil
	return callers
}

// partAll removes all listeners, and returns their callers.
func (p *Partition) partAll() (callers []Caller) {
	for _, l := range p.listeners {
		if l.caller != nil {
			callers = append(callers, l.caller)
		}
		p.part(l)
	}
	p.listeners, p.roll, p.audience, p.overfull, p.events = nil, nil, nil, nil, events{}
	return callers
}

// quiet turns the listeners into those of a follower, without callers and with all events in the log, and returns the
// callers.
func (p *Partition) quiet() (callers []Caller) {
	for _, l := range p.listeners {
		if l.caller != nil {
			callers = append(callers, l.caller)
		}
		p.part(l)
		if l.ended || !l.logged {
			p.forget(l)
			continue
		}
		l.backlog.drop(len(l.backlog.kept))
		l.full, l.overfull, l.left = false, false, mark{}
	}
	p.overfull = nil
	return callers
}

// notStored reports whether an append that failed with err has certainly stored nothing.
func notStored(err error) bool {
	refused, ok := errors.AsType[interface {
		error
		NotStored() bool
	}](err)
	return ok && refused.NotStored()
}
