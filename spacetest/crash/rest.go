//go:build linux

package crash

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/spacetest/history"
	"github.com/gospaces/gospaces/spacetest/random"
)

// resting is the time between two rounds, when no client calls and everything is up.
type resting struct {
	*campaign
	client  *client.Client
	records map[string]*noted // of the clients, by part
	there   *survey
	rebased bool // the mirror has continued from a snapshot in this round
}

// rest waits until everything is at rest, judges it, and restarts the server.
func (c *campaign) rest(ctx context.Context) error {
	r := &resting{campaign: c}
	defer func() {
		if r.client != nil {
			r.client.Close()
		}
	}()
	for _, step := range r.steps() {
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		c.report.checks.Add(1)
	}
	return c.clients.forget()
}

// step is one of the steps from the end of a round to the beginning of the next.
type step struct {
	name string
	do   func(context.Context) error
}

func (r *resting) steps() []step {
	if r.cluster != nil {
		return []step{
			{"all nodes are up and see each other", r.becomeWhole},
			{"the clients come to rest", r.stopClients},
			{"the listener hears the rest", r.stopListener},
			{"the replicas against each other", r.judgeReplicas},
			{"what the replicas have found by themselves", r.judgeAudits},
			{"nothing is open any more", r.endCluster},
			{"some items are taken", r.drain},
			{"the spaces are read", r.look},
			{"what the spaces hold against the history", r.judgeSpaces},
			{"what the listener was told against the history", r.judgeTold},
			{"the tables against the spaces", r.judgeTables},
			{"what is done is removed", r.removeDones},
			{"the replicas against each other, again", r.judgeReplicas},
		}
	}
	return []step{
		{"the clients come to rest", r.stopClients},
		{"the listener hears the rest", r.stopListener},
		{"the server is killed and started", r.restart},
		{"some items are taken", r.drain},
		{"the spaces are read", r.look},
		{"what the spaces hold against the history", r.judgeSpaces},
		{"what the listener was told against the history", r.judgeTold},
		{"the tables against the spaces", r.judgeTables},
		{"what is done is removed", r.removeDones},
		{"a backup against the spaces", r.judgeBackup},
		{"log and snapshots against the spaces", r.judgeFolder},
		{"the spaces after a restart against those before", r.judgeRestart},
	}
}

// stopClients kills one of the clients at the last moment, which leaves its calls open, and stops the others.
func (r *resting) stopClients(context.Context) error {
	if err := r.clients.replace(r.rng.IntN(len(r.clients.team))); err != nil {
		return err
	}
	return r.clients.stop(callers, writers, workers, readers)
}

// stopListener writes sentinels until the listener has received one: it may be about to register again.
func (r *resting) stopListener(ctx context.Context) error {
	if err := r.connect(ctx); err != nil {
		return err
	}
	heard := make(chan error, 1)
	go func() { heard <- r.clients.stop(listener) }()
	for began := time.Now(); ; {
		_, err := space.Write(ctx, r.client, job{N: sentinel})
		if errors.Is(err, space.ErrUnavailable) && time.Since(began) < patience { // the disk was full until now
			pause(ctx, 50*time.Millisecond)
			continue
		}
		if err != nil {
			return err
		}
		select {
		case err := <-heard:
			return errors.Join(err, r.takeSentinels(ctx))
		case <-time.After(time.Second):
		}
	}
}

func (r *resting) takeSentinels(ctx context.Context) error {
	for {
		if _, err := space.Take(ctx, r.client, job{N: sentinel}, space.NoWait()); err != nil {
			return unlessNone(err)
		}
	}
}

func isNone(err error) bool { return errors.Is(err, space.ErrNoMatch) }

func unlessNone(err error) error {
	if isNone(err) {
		return nil
	}
	return err
}

// connect connects directly to the server, and waits until it serves: after a full disk it may have to read its logs
// again.
func (r *resting) connect(ctx context.Context) (err error) {
	if r.client != nil {
		r.client.Close()
	}
	if r.client, err = dial(ctx, r.direct(), nil); err != nil {
		return err
	}
	for _, name := range spaceNames {
		for began := time.Now(); ; pause(ctx, 50*time.Millisecond) {
			_, err := r.client.SpaceNamed(name).Kinds(ctx)
			if err == nil {
				break
			}
			if !errors.Is(err, space.ErrUnavailable) || time.Since(began) > patience {
				return fmt.Errorf("space %s does not serve: %w", name, err)
			}
		}
	}
	return nil
}

// restart kills the server and starts it again, waits for the ends of leases and delays, and ends the transactions that
// killed clients left open.
func (r *resting) restart(ctx context.Context) error {
	if err := r.server.kill(); err != nil {
		return err
	}
	if err := r.start(ctx); err != nil {
		return err
	}
	pause(ctx, max(longestLease, longestDelay)+200*time.Millisecond)
	if err := r.connect(ctx); err != nil {
		return err
	}
	return r.endTxns(ctx)
}

// endTxns aborts the transactions that have taken something. They belong to killed clients, since the others are at
// rest. The server would end them too, but only after a while.
func (r *resting) endTxns(ctx context.Context) error {
	for _, name := range spaceNames {
		sp := r.client.SpaceNamed(name)
		q, err := space.Match(ctx, sp, nil)
		if err != nil {
			return err
		}
		q.Held = true
		for e, err := range sp.Contents(ctx, q) {
			if err != nil {
				return err
			}
			if err := space.TxnOf(sp, e.Held.Txn).Abort(ctx); err != nil && !errors.Is(err, space.ErrTxnEnded) {
				return err
			}
		}
	}
	return nil
}

// drain takes all items of some lanes, oldest first, and records that like any client.
func (r *resting) drain(ctx context.Context) (err error) {
	if r.records, err = r.clients.records(); err != nil {
		return err
	}
	for _, part := range []string{callers, writers} {
		calls := r.records[part].calls
		r.report.calls.Add(int64(len(calls)))
		for _, o := range calls {
			if o.Outcome == history.Unknown {
				r.report.unknown.Add(1)
			}
		}
	}
	calls := r.records[callers].calls
	if r.cluster != nil {
		calls = append(calls, r.records[readers].calls...)
	}
	r.report.paused(pauses(r.records[callers].calls))
	sortByLane(r.lanes, calls)
	for lane, book := range r.lanes {
		if r.rng.IntN(4) > 0 {
			continue
		}
		for k := range keysPerLane {
			if err := book.drain(ctx, r.client, lane*keysPerLane+k+1); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *laneBook) drain(ctx context.Context, cl *client.Client, key int) error {
	sp := cl.SpaceNamed(spaceNames[spaceOf(key)])
	for {
		op := history.Op{Verb: history.Take, Pattern: history.Pattern{Key: key}, Max: 7, Outcome: history.OK, Call: now()}
		found, err := space.TakeAll(ctx, sp, random.Item{Key: key}, op.Max, space.NoWait())
		op.Return = now()
		if isNone(err) {
			op.Outcome = history.None
		} else if err != nil {
			return err
		}
		for _, v := range found {
			op.Items = append(op.Items, v.Plain())
		}
		b.calls = append(b.calls, op)
		if op.Outcome == history.None {
			return nil
		}
	}
}

func (r *resting) look(ctx context.Context) (err error) {
	if r.there, err = takeSurvey(ctx, r.client); err == nil {
		r.report.items.Store(int64(len(r.there.print)))
	}
	return err
}

func (r *resting) judgeSpaces(context.Context) error {
	at, outages, items := now(), r.outages(), byLane(r.there.items)
	var errs []error
	for i, book := range r.lanes {
		errs = append(errs, book.judge(outages, items[i], at))
	}
	r.jobs.wrote(r.records[writers].calls)
	r.report.jobs.Add(int64(len(r.there.dones)))
	return errors.Join(append(errs, r.jobs.judge(r.there.jobs, r.there.dones)...)...)
}

func (r *resting) judgeTold(context.Context) error {
	all := r.records[listener].told
	r.report.events.Add(int64(len(all)))
	return errors.Join(judgeTold(all, r.records[writers].calls)...)
}

// removeDones removes judged entries before the next round.
func (r *resting) removeDones(ctx context.Context) error {
	for _, name := range spaceNames {
		for {
			if _, err := space.TakeAll(ctx, r.client.SpaceNamed(name), done{}, 1000, space.NoWait()); isNone(err) {
				break
			} else if err != nil {
				return err
			}
		}
	}
	var err error
	r.there, err = takeSurvey(ctx, r.client)
	return err
}
