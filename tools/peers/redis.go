package main

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"

	"github.com/redis/rueidis"
)

// blockingSeconds is how long a call waits for a job before it looks whether it shall go on.
const blockingSeconds = 0.5

// redis keeps jobs in a list. Its client pipelines all calls over one connection, except those that wait: each of these
// takes a connection from a pool.
type redis struct {
	c    rueidis.Client
	hand atomic.Int64 // number of lists of jobs in the hands of workers
}

func startRedis(ctx context.Context, s *server) (queue, error) {
	err := s.run(ctx, "--bind", "127.0.0.1", "--port", s.port, "--dir", s.dir, "--save", "", "--appendonly", "yes",
		"--appendfsync", s.either("always", "everysec"))
	if err != nil {
		return nil, err
	}
	c, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{s.addr}, DisableCache: true, PipelineMultiplex: -1,
	})
	if err != nil {
		return nil, err
	}
	return &redis{c: c}, nil
}

func (r *redis) close() { r.c.Close() }

func (r *redis) put(ctx context.Context, jobs ...job) error { return r.push(ctx, "jobs", jobs) }

func (r *redis) push(ctx context.Context, list string, jobs []job) error {
	bodies := make([]string, len(jobs))
	for i, j := range jobs {
		bodies[i] = rueidis.BinaryString(j.encode())
	}
	return r.c.Do(ctx, r.c.B().Lpush().Key(list).Element(bodies...).Build()).Error()
}

func (r *redis) ways() []way {
	return []way{
		{"BRPOP", atMostOnce, false, r.brpop},
		{"RPOP, else BRPOP", atMostOnce, true, r.rpop},
		{"BLMOVE, LREM", atLeastOnce, false, r.blmove},
		{"LMOVE, else BLMOVE; LREM", atLeastOnce, false, r.lmove},
	}
}

func (r *redis) brpop(ctx context.Context, workers, _ int, done func(job)) error {
	return each(ctx, workers, func(ctx context.Context) error {
		for ctx.Err() == nil {
			if err := give(done)(r.waitPop()); err != nil {
				return err
			}
		}
		return nil
	})
}

// rpop waits only when the list is empty: calls that do not wait are pipelined.
func (r *redis) rpop(ctx context.Context, workers, batch int, done func(job)) error {
	return each(ctx, workers, func(ctx context.Context) error {
		for ctx.Err() == nil {
			pop := r.c.B().Rpop().Key("jobs").Count(int64(batch)).Build()
			bodies, err := r.c.Do(context.Background(), pop).AsStrSlice()
			if rueidis.IsRedisNil(err) {
				bodies, err = r.waitPop()
			}
			if err := give(done)(bodies, err); err != nil {
				return err
			}
		}
		return nil
	})
}

// waitPop returns no job if none has come for blockingSeconds. It has no context: one that ends would cost the
// connection.
func (r *redis) waitPop() ([]string, error) {
	pop := r.c.B().Brpop().Key("jobs").Timeout(blockingSeconds).Build()
	reply, err := r.c.Do(context.Background(), pop).AsStrSlice() // the list's name, the job
	if err != nil {
		return nil, err
	}
	return reply[1:], nil
}

// give returns a function that calls done for each job of a reply, which may be none.
func give(done func(job)) func(bodies []string, err error) error {
	return func(bodies []string, err error) error {
		if err != nil && !rueidis.IsRedisNil(err) {
			return err
		}
		for _, b := range bodies {
			j, err := decode([]byte(b))
			if err != nil {
				return err
			}
			done(j)
		}
		return nil
	}
}

func (r *redis) blmove(ctx context.Context, workers, _ int, done func(job)) error {
	return r.move(ctx, workers, done, r.waitMove)
}

func (r *redis) lmove(ctx context.Context, workers, _ int, done func(job)) error {
	return r.move(ctx, workers, done, func(hand string) (string, error) {
		move := r.c.B().Lmove().Source("jobs").Destination(hand).Right().Left().Build()
		body, err := r.c.Do(context.Background(), move).ToString()
		if rueidis.IsRedisNil(err) {
			return r.waitMove(hand)
		}
		return body, err
	})
}

func (r *redis) waitMove(hand string) (string, error) {
	move := r.c.B().Blmove().Source("jobs").Destination(hand).Right().Left().Timeout(blockingSeconds).Build()
	return r.c.Do(context.Background(), move).ToString()
}

// move moves jobs to a list of each worker, where they would be found if it died, and removes them when they are done.
func (r *redis) move(ctx context.Context, workers int, done func(job), next func(hand string) (string, error)) error {
	return each(ctx, workers, func(ctx context.Context) error {
		hand := "hand:" + strconv.FormatInt(r.hand.Add(1), 10)
		for ctx.Err() == nil {
			body, err := next(hand)
			if rueidis.IsRedisNil(err) {
				continue
			}
			if err == nil {
				err = r.c.Do(context.Background(), r.c.B().Lrem().Key(hand).Count(1).Element(body).Build()).Error()
			}
			if err := give(done)([]string{body}, err); err != nil {
				return err
			}
		}
		return nil
	})
}

// putKeyed keeps jobs in a list for each key.
func (r *redis) putKeyed(ctx context.Context, jobs ...job) error {
	var errs error
	for _, j := range jobs {
		errs = errors.Join(errs, r.push(ctx, listOf(j.key), []job{j}))
	}
	return errs
}

func listOf(key int64) string { return "key:" + strconv.FormatInt(key, 10) }

func (r *redis) takeKeyed(ctx context.Context, key int64) (job, bool, error) {
	body, err := r.c.Do(ctx, r.c.B().Rpop().Key(listOf(key)).Build()).AsBytes()
	if rueidis.IsRedisNil(err) {
		return job{}, false, nil
	}
	if err != nil {
		return job{}, false, err
	}
	j, err := decode(body)
	return j, err == nil, err
}
