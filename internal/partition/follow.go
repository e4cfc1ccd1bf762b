package partition

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gospaces/gospaces/internal/backoff"
	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/record"
)

// A follower keeps the state of its log as the primary makes it, indexes included, and nothing else: no call waits, no
// timer runs, no listener is attached. So it can lead as soon as it has claimed the log.

// elsewhere is the error of calls to a follower. It tells where the partition is served, if that is known.
func (p *Partition) elsewhere() *call.ElsewhereError {
	if p.cfg.Primary == nil {
		return &call.ElsewhereError{At: p.cfg.Address}
	}
	return p.cfg.Primary()
}

// errClaiming is the error of calls to a follower that is about to lead.
var errClaiming = fmt.Errorf("%w: this node is about to serve the partition, if a majority of its nodes agrees",
	call.ErrNotReady)

// errLead ends following.
var errLead = errors.New("partition: it is to lead")

// Lead makes a follower the primary: it claims the log for what it has applied. It waits while the partition builds its
// state or resigns, and while another may have a lease (Config.Patience); until then the partition follows. Lead
// returns nil when the partition is the primary; call.ErrElsewhere if another has written to the log meanwhile, or the
// claim has failed, after which the partition follows again; the reason why a partition is closed or serves for reading
// only; and the cause of ctx's end, after which the partition may still become the primary if it has begun to claim.
func (p *Partition) Lead(ctx context.Context) error {
	for told := false; ; {
		p.mu.Lock()
		r, refusal, turned := p.role, p.refusal(), p.turned
		if r == follower && !told {
			p.leaders++
			defer p.withdraw()
			p.claimInTime()
		}
		p.mu.Unlock()
		switch {
		case r == primary:
			return nil
		case r == readOnly, r == closed:
			return refusal
		case r == follower && told:
			return fmt.Errorf("%w: its claim was refused", call.ErrElsewhere)
		}
		told = told || r == follower
		select {
		case <-turned:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// withdraw undoes a call of Lead.
func (p *Partition) withdraw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leaders = max(0, p.leaders-1)
}

// untilClaim returns how long another may still have a lease. The lock is held.
func (p *Partition) untilClaim() time.Duration {
	if p.cfg.Patience == 0 || p.vacant {
		return 0
	}
	return p.cfg.Patience - time.Since(p.heard)
}

// claimInTime ends following when a follower that is to lead may claim the log. The lock is held.
func (p *Partition) claimInTime() {
	if p.role != follower || p.leaders == 0 {
		return
	}
	if d := p.untilClaim(); d > 0 {
		time.AfterFunc(d, func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.claimInTime()
		})
		return
	}
	p.stopFollowing(errLead)
}

// beginFollowing begins to follow, or to follow on. The lock is held.
func (p *Partition) beginFollowing() {
	p.following, p.stopFollowing = context.WithCancelCause(p.ctx)
}

// follow applies what the primary appends, until the partition is to lead, or closed.
func (p *Partition) follow(pauses *backoff.Backoff) {
	p.mu.Lock()
	ctx, after := p.following, p.commits.position
	p.mu.Unlock()
	err := p.cfg.Log.Follow(ctx, after, p.hear)
	switch {
	case errors.Is(err, errLead):
		p.standUp()
	case errors.Is(err, errDiffers):
		p.forgetState()
	case p.ctx.Err() == nil:
		p.cfg.Logger.Warn("the log cannot be followed; the state is made anew from it", "error", err)
		p.startOver(err)
		_ = pauses.Wait(p.ctx)
	}
}

// standUp makes a follower a candidate, unless it has just applied another message, and goes on following.
func (p *Partition) standUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.audit.differs:
		p.beginFollowing()
		p.stopFollowing(errDiffers)
		return
	case p.untilClaim() > 0:
		p.beginFollowing()
		p.claimInTime()
		return
	}
	p.become(candidate, errClaiming)
}

// hear applies a group of the primary, which was just appended unless it was fetched.
func (p *Partition) hear(g record.Group) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.applyLocked(g); err != nil {
		return err
	}
	p.commits.durable, p.commits.position = LSN(p.e.LSN()), g.Position
	p.auditAsFollower()
	if p.cfg.Patience > 0 {
		p.heard = time.Now()
	}
	switch {
	case g.Claimed && p.leaders > 0: // another was faster
		p.leaders = 0
		p.stir()
	case p.vacant:
		p.claimInTime()
	}
	if p.e.Busy() {
		p.keepUp()
	}
	return nil
}

// learnTime asks for the time of the space until the clock runs. A message of the log does not tell it for sure: it may
// have waited, in the log or on its way here, while the primary failed.
func (p *Partition) learnTime() {
	for pauses := (backoff.Backoff{Min: 50 * time.Millisecond, Max: time.Second}); !p.knowsTime(); {
		asked := time.Now()
		now, err := p.cfg.Time(p.ctx)
		if err == nil && time.Since(asked) <= maxTimeAge {
			p.mu.Lock()
			p.clock.learn(now)
			p.mu.Unlock()
			return
		}
		if pauses.Wait(p.ctx) != nil {
			return
		}
	}
}

// maxTimeAge is how old the time of the space may be from which a clock goes on.
const maxTimeAge = 500 * time.Millisecond

func (p *Partition) knowsTime() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.clock.running
}

// Resign hands the partition over. From now on calls are refused, and those that wait or listen end with
// call.ErrElsewhere. What was done is committed, and then the log names the heir that is to lead; "" names none.
// Transactions that have only taken live on at the next primary, others end. Resign returns nil when the partition
// follows: its state is as good as any other follower's. It returns call.ErrElsewhere if the partition is not the
// primary; the error of the log, after which it is unknown whether the log tells of the resignation; and the cause of
// ctx's end, after which the resignation goes on.
func (p *Partition) Resign(ctx context.Context, heir string) error {
	p.mu.Lock()
	if p.role != primary || !p.commits.logged {
		defer p.mu.Unlock()
		return cmp.Or(p.refusal(), call.ErrElsewhere)
	}
	p.become(resigning, call.ErrElsewhere)
	p.heir = heir
	p.endWaits(p.refusal())
	p.e.StepDown(p.clock.now())
	p.finish()
	p.commits.finish()
	turned := p.turned
	p.mu.Unlock()
	select {
	case <-turned:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return p.resigned()
}

// resigned returns how a resignation has ended.
func (p *Partition) resigned() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.role == starting || p.role == closed {
		return p.refusal()
	}
	return nil
}

// resign appends the resignation of a primary that has committed everything, and follows.
func (p *Partition) resign() {
	p.mu.Lock()
	heir, clock := p.heir, p.clock.read()
	p.mu.Unlock()
	if err := p.cfg.Log.Resign(heir, clock); err != nil {
		p.cfg.Logger.Error("the log refused the resignation", "error", err)
		p.stepDown(err)
		return
	}
	p.mu.Lock()
	callers := p.quiet()
	p.leaveSessions()
	p.commits.position, p.vacant = p.cfg.Log.Last(), true
	p.become(follower, call.ErrElsewhere)
	refusal := p.refusal()
	p.mu.Unlock()
	for _, c := range callers {
		c.Lost(refusal)
	}
}
