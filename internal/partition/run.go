package partition

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gospaces/gospaces/internal/backoff"
	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/record"
)

// Start builds the state from the log, which may take a while, and begins to serve; it serves reads only while the log
// has no room. With Config.Standby it begins to follow instead. progress, if not nil, is called from time to time
// meanwhile. Start returns ctx's error if ctx ends first, or the error of the log.
func (p *Partition) Start(ctx context.Context, progress func(done, total uint64)) error {
	p.mu.Lock()
	p.timer = time.AfterFunc(time.Hour, p.expire)
	if p.cfg.Log == nil {
		p.serve()
		p.mu.Unlock()
		return nil
	}
	p.mu.Unlock()
	for r := p.now(); r.prepares(); r = p.now() {
		if err := p.prepare(ctx, r, progress); err != nil {
			p.startOver(err)
			return err
		}
	}
	if p.now() == closed {
		p.lead()
		return p.Err()
	}
	p.done.Go(p.run)
	if p.cfg.Standby && p.cfg.Time != nil {
		p.done.Go(p.learnTime)
	}
	return nil
}

// prepares reports whether a partition is on its way to serve or to follow.
func (r role) prepares() bool { return r == starting || r == recovering || r == candidate }

// run plays the partition's roles, one after the other, until it is closed.
func (p *Partition) run() {
	pauses := &backoff.Backoff{Min: 50 * time.Millisecond, Max: 5 * time.Second}
	for {
		switch r := p.now(); r {
		case closed:
			p.lead() // to the end of what calls have left, which may have come before the first lead
			return
		case follower:
			pauses.Reset()
			p.follow(pauses)
		case primary:
			pauses.Reset()
			p.lead()
		case resigning:
			p.resign()
		case readOnly:
			p.awaitRoom()
		default:
			p.tryAgain(r, pauses)
		}
	}
}

// startOver empties the state and starts to rebuild it. why is the error of the last attempt.
func (p *Partition) startOver(why error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	refusal := unavailable(why)
	if unreadable(why) && !p.cfg.Standby { // another replica may have it
		refusal = call.ErrLogLost
	}
	if p.become(starting, fmt.Errorf("%w: the state cannot be made from the log: %w", refusal, why)) {
		p.reset(LSN(p.e.LSN()))
	}
}

// lead writes the log until that fails, or the partition resigns or is closed.
func (p *Partition) lead() {
	if err := p.commit(); err != nil {
		if p.cfg.Standby && fenced(err) {
			p.cfg.Logger.Info("another primary has claimed the log; the partition follows it", "error", err)
		} else {
			p.cfg.Logger.Error("the log refused an append; calls are refused until the state is rebuilt from it", "error", err)
		}
		p.stepDown(err)
	}
}

// tryAgain takes the next step towards serving again. A candidate that was not told to lead waits first: its log may
// have failed because another writes it, or may be about to store what was sent to it last. Here a fenced partition
// decides to claim its log again; it may do so, since it is the only one that opens the log.
func (p *Partition) tryAgain(r role, pauses *backoff.Backoff) {
	if r == candidate && !p.cfg.Standby && pauses.Wait(p.ctx) != nil {
		return
	}
	err := p.prepare(p.ctx, r, nil)
	if err == nil || p.ctx.Err() != nil {
		return
	}
	p.cfg.Logger.Warn("the state cannot be rebuilt from the log yet", "error", err)
	p.startOver(err)
	if r != candidate { // a candidate has waited
		_ = pauses.Wait(p.ctx)
	}
}

// prepare does the work of a role before serving, and changes to the next role.
func (p *Partition) prepare(ctx context.Context, r role, progress func(done, total uint64)) error {
	switch r {
	case starting:
		return p.loadImage(ctx, progress)
	case recovering:
		return p.recover(ctx, progress)
	case candidate:
		return p.stand(ctx)
	}
	return p.Err()
}

// loadImage loads the newest image.
func (p *Partition) loadImage(ctx context.Context, progress func(done, total uint64)) error {
	position, err := p.load(ctx, progress)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.commits.position, p.vacant = position, position == 0
	p.become(recovering, p.err)
	return nil
}

// recover applies the log after the state.
func (p *Partition) recover(ctx context.Context, progress func(done, total uint64)) error {
	end, err := p.cfg.Log.CatchUp(ctx, p.Position(), p.apply, progress)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.commits.position, p.heard = end, time.Now()
	if p.cfg.Standby {
		p.become(follower, call.ErrElsewhere)
	} else {
		p.become(candidate, p.err)
	}
	return nil
}

// stand claims the log for the state, and serves. If the log has more than the state, the partition follows it; if the
// log has no room, the partition serves reads.
func (p *Partition) stand(ctx context.Context) error {
	sent := p.clock.instant()
	p.mu.Lock()
	clock := p.clock.next() // learnTime may set it
	p.mu.Unlock()
	claim, err := p.cfg.Log.Claim(ctx, p.Position(), clock)
	switch {
	case fenced(err):
		p.cfg.Logger.Warn("another has written to the log, which is read on before it is claimed", "error", err)
		p.overtaken()
		return nil
	case isFull(err) && p.cfg.Lease > 0 && p.cfg.Standby:
		p.cfg.Logger.Warn("the log has no room for a claim, without which another may be the primary", "error", err)
		p.overtaken()
		return nil
	case err != nil && !isFull(err):
		return err
	}
	p.settleIn()
	if err != nil {
		p.serveReading(ctx, err)
		return nil
	}
	if err := p.apply(claim); err != nil {
		return err
	}
	decided := p.decidedBefore(ctx)
	p.mu.Lock()
	p.commits.durable = LSN(p.e.LSN())
	p.epoch, p.sent, p.commits.position = claim.Position, sent, claim.Position
	p.audit.next = claim.Position + p.cfg.AuditEvery
	recovered := p.serve()
	p.commitDecided(decided)
	p.mu.Unlock()
	if recovered {
		p.cfg.Logger.Info("the state is rebuilt from the log; calls are served again")
	}
	if recovered || p.cfg.Standby {
		p.recovered()
	}
	return nil
}

// overtaken makes a candidate read on.
func (p *Partition) overtaken() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cfg.Standby {
		p.heard, p.vacant = time.Now(), false
		p.become(follower, call.ErrElsewhere)
	} else {
		p.become(recovering, p.err)
	}
}

// settleIn starts the clock at the time of the log, and publishes the kinds.
func (p *Partition) settleIn() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clock.run(p.cfg.Logger)
	p.publishKinds()
}

// serve begins to serve calls once the state is built. It reports whether the partition served before; those calls were
// ended. The lock is held.
func (p *Partition) serve() (recovered bool) {
	if !p.become(primary, nil) {
		return false
	}
	if recovered = p.old != nil; recovered {
		p.e.AdoptSessions(p.old)
		p.old = nil
	}
	p.expectSessions()
	if p.cfg.Log != nil {
		p.commits.begin(&p.mu, p.ripened)
		p.e.Restarted(p.clock.now())
	}
	p.e.Originate(p.cfg.Origin)
	p.finish()
	return recovered
}

// recovered tells the coordinator that calls are served, again or in place of another primary.
func (p *Partition) recovered() {
	if p.cfg.Txns != nil {
		p.cfg.Txns.Recovered(p.cfg.Address)
	}
}

func (p *Partition) apply(g record.Group) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.applyLocked(g)
}

func (p *Partition) applyLocked(g record.Group) error {
	if err := p.e.Apply(g.Records); err != nil {
		return fmt.Errorf("log position %d: %w", g.Position, err)
	}
	p.clock.hear(g.Clock)
	p.vacant = g.Resigned
	p.replayed(g.Position)
	p.settle()
	return nil
}

// fenced reports whether a log has failed with err because another has written to it.
func fenced(err error) bool {
	refused, ok := errors.AsType[interface {
		error
		Fenced() bool
	}](err)
	return ok && refused.Fenced()
}
