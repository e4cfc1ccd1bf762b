package main

import (
	"context"
	_ "embed"
	"os"
	"path/filepath"

	"github.com/tarantool/go-tarantool/v3"
)

//go:embed queue.lua
var queueLua []byte

// tarantoolQueue is a queue written in Lua, with a connection for those who put and one for those who take.
type tarantoolQueue struct{ putter, taker *tarantool.Connection }

// stored is a job as Tarantool returns it.
type stored struct {
	_msgpack struct{} `msgpack:",as_array"`
	Seq      uint64
	Key      int64
	Body     []byte
}

func startTarantool(ctx context.Context, s *server) (queue, error) {
	script := filepath.Join(s.dir, "queue.lua")
	if err := os.WriteFile(script, queueLua, 0o644); err != nil {
		return nil, err
	}
	if err := s.run(ctx, script, s.port, s.either("fsync", "write")); err != nil {
		return nil, err
	}
	t := new(tarantoolQueue)
	for _, c := range []**tarantool.Connection{&t.putter, &t.taker} {
		var err error
		if *c, err = tarantool.Connect(ctx, tarantool.NetDialer{Address: s.addr}, tarantool.Opts{}); err != nil {
			return nil, err
		}
	}
	return t, s.retry(ctx, func() error { return t.put(ctx) }) // until the script has run to its end, there is no put
}

func (t *tarantoolQueue) close() { t.putter.Close(); t.taker.Close() }

func (t *tarantoolQueue) put(_ context.Context, jobs ...job) error { return t.insert("put", jobs) }

func (t *tarantoolQueue) insert(function string, jobs []job) error {
	list := make([]any, len(jobs))
	for i, j := range jobs {
		list[i] = []any{j.key, j.encode()}
	}
	_, err := call(t.putter, function, list)
	return err
}

// call calls a function with one argument and returns the jobs that it returns.
func call(c *tarantool.Connection, function string, arg any) ([]stored, error) {
	var results [][]stored
	err := c.Do(tarantool.NewCallRequest(function).Args([]any{arg})).GetTyped(&results)
	if err != nil || len(results) == 0 {
		return nil, err
	}
	return results[0], nil
}

func (t *tarantoolQueue) ways() []way {
	return []way{
		{"take", atMostOnce, true, t.work(t.take)},
		{"hold, ack", atLeastOnce, true, t.work(t.hold)},
	}
}

func (t *tarantoolQueue) work(take func(batch int) ([]stored, error)) func(context.Context, int, int, func(job)) error {
	return func(ctx context.Context, workers, batch int, done func(job)) error {
		return each(ctx, workers, func(ctx context.Context) error {
			for ctx.Err() == nil {
				found, err := take(batch)
				if err != nil {
					return err
				}
				for _, s := range found {
					j, err := decode(s.Body)
					if err != nil {
						return err
					}
					done(j)
				}
			}
			return nil
		})
	}
}

func (t *tarantoolQueue) take(batch int) ([]stored, error) { return call(t.taker, "take", batch) }

func (t *tarantoolQueue) hold(batch int) ([]stored, error) {
	found, err := call(t.taker, "hold", batch)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	seqs := make([]uint64, len(found))
	for i, s := range found {
		seqs[i] = s.Seq
	}
	_, err = call(t.taker, "ack", seqs)
	return found, err
}

func (t *tarantoolQueue) putKeyed(_ context.Context, jobs ...job) error {
	return t.insert("put_keyed", jobs)
}

func (t *tarantoolQueue) takeKeyed(_ context.Context, key int64) (job, bool, error) {
	found, err := call(t.taker, "take_keyed", key)
	if err != nil || len(found) == 0 {
		return job{}, false, err
	}
	j, err := decode(found[0].Body)
	return j, err == nil, err
}
