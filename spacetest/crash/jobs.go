//go:build linux

package crash

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/space/work"
	"github.com/gospaces/gospaces/spacetest/history"
)

// enoughJobs is the approximate maximum of waiting jobs, at which writers pause.
const enoughJobs = 2000

// write plays the part of a writer of jobs.
func (p *process) write(ctx context.Context) {
	rng := p.rng(0)
	c := p.caller(0, rng)
	for n := 0; ctx.Err() == nil; n++ {
		if n%16 == 0 {
			waiting, err := space.Count(ctx, p.spaces[0], job{})
			if err == nil && waiting > enoughJobs {
				pause(ctx, 300*time.Millisecond)
				continue
			}
		}
		c.writeJobs(1 + rng.IntN(20))
		pause(ctx, upTo(rng, 30*time.Millisecond))
	}
}

func (c *caller) writeJobs(n int) {
	op, jobs := history.Op{Verb: history.Write}, make([]job, n)
	for i := range jobs {
		jobs[i] = job{c.next(), pad(c.Rng, 2000)}
		op.Items = append(op.Items, history.Item{N: jobs[i].N})
	}
	c.do(op, func(op *history.Op) {
		ctx, cancel := c.Context()
		defer cancel()
		_, err := space.WriteAll(ctx, c.spaces[0], jobs)
		op.Outcome = c.outcome(err)
	})
}

var errNotYet = errors.New("not yet")

// work is a worker. It writes its results into the space.
func (p *process) work(ctx context.Context) {
	handler := func(ctx context.Context, j *work.Job[job]) error {
		if rand.IntN(4) == 0 {
			time.Sleep(rand.N(50 * time.Millisecond))
		}
		switch n := rand.IntN(20); {
		case n == 0:
			return errNotYet
		case n < 10:
			return j.Stage(ctx, done{j.Value.N})
		}
		_, err := space.Write(ctx, p.spaces[rand.IntN(len(p.spaces))], done{j.Value.N}, space.In(j.Txn))
		if err == nil && rand.IntN(20) == 0 {
			return errNotYet // its writes must be undone
		}
		return err
	}
	err := work.Run(ctx, p.spaces[0], job{}, handler, work.Config{
		Workers: 8, Tries: -1, MinBackoff: 10 * time.Millisecond, MaxBackoff: longestDelay, Lease: 5 * time.Second,
	})
	if err != nil {
		p.complain("work: %v", err)
	}
}

// longestDelay is the maximum delay of a job that was not done.
const longestDelay = 300 * time.Millisecond

// listen is the listener: it notes the events of jobs. If it was stopped for so long that its registration is lost, it
// registers again.
func (p *process) listen(ctx context.Context) {
	for ctx.Err() == nil {
		reg, err := space.Notify(ctx, p.spaces[0], job{}, space.For(10*time.Second))
		if err != nil {
			p.outcome(err)
			pause(ctx, 50*time.Millisecond)
			continue
		}
		if p.hear(ctx, p.next(), reg) {
			return
		}
	}
}

// hear notes the events of a registration, and reports whether the sentinel was among them.
func (p *process) hear(ctx context.Context, number int, reg space.Registration) bool {
	defer reg.Close()
	keeper := space.KeepAlive(ctx, reg.Lease().Granted(), reg.Lease())
	defer keeper.Stop()
	journal := func(t told) {
		t.Registration = number
		p.journal.write(note{Told: &t})
	}
	journal(told{Seq: reg.Start(), Registered: now()})
	for {
		e, err := reg.Next(ctx)
		switch {
		case errors.Is(err, space.ErrLeaseEnded):
			journal(told{Ended: true})
			return false
		case err != nil:
			p.outcome(err)
			return false
		}
		if e.Type == space.Gap {
			journal(told{Seq: e.Seq, Missed: e.Missed})
			continue
		}
		v, err := space.Decode[job](e.Entry)
		if err != nil {
			p.complain("decode: %v", err)
		}
		journal(told{Seq: e.Seq, N: v.N})
		if v.N == sentinel {
			return true
		}
	}
}
