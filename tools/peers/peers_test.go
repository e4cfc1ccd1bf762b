package main

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

// hundred is the number of jobs that each way of each peer carries in the test.
const hundred = 100

// TestPeers_CarryEachJobOnce runs every server that is installed. Programs are found in PATH.
func TestPeers_CarryEachJobOnce(t *testing.T) {
	t.Parallel()
	for _, p := range peers() {
		for _, d := range durabilities() {
			t.Run(p.name+"/"+d.String(), func(t *testing.T) {
				program, ok := find(p.program)
				if !ok {
					t.Skipf("there is no %s; install it: %s", p.program, p.install)
				}
				s, q, err := launch(t.Context(), p, program, d)
				require.NoError(t, err)
				for _, w := range q.ways() {
					require.NoError(t, carry(t.Context(), q, w, 4, 1), w.name)
					if w.bulk {
						require.NoError(t, carry(t.Context(), q, w, 4, 10), "%s in bulk", w.name)
					}
				}
				if k, ok := q.(keyed); ok {
					require.NoError(t, carryKeyed(t.Context(), k))
				}
				q.close()
				require.NoError(t, s.stop())
			})
		}
	}
}

func carry(ctx context.Context, q queue, w way, workers, batch int) error {
	t := newTrial()
	_, err := t.run(ctx, w, workers, batch, func(ctx context.Context) error {
		for range hundred {
			if err := t.putOne(ctx, q); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

func carryKeyed(ctx context.Context, k keyed) error {
	t := newTrial()
	for key := range int64(hundred) {
		j := job{id: t.ids.Add(1), key: key + 1}
		if err := k.putKeyed(ctx, j); err != nil {
			return err
		}
		t.put.add(j)
	}
	if err := t.drainKeyed(ctx, k); err != nil {
		return err
	}
	return t.check()
}

func TestTrial_FindsWhatIsLostOrDoubled(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		put, taken []job
		ok         bool
	}{
		"once":             {put: []job{{id: 1}, {id: 2}}, taken: []job{{id: 2}, {id: 1}}, ok: true},
		"lost":             {put: []job{{id: 1}, {id: 2}}, taken: []job{{id: 2}}},
		"doubled":          {put: []job{{id: 1}}, taken: []job{{id: 1}, {id: 1}}},
		"lost and doubled": {put: []job{{id: 1}, {id: 2}}, taken: []job{{id: 2}, {id: 2}}},
		"nothing":          {},
	} {
		trial := newTrial()
		trial.put.add(c.put...)
		trial.taken.add(c.taken...)
		require.Equal(t, c.ok, trial.check() == nil, name)
	}
}

func TestRelate_ComparesWithTheBestOtherServer(t *testing.T) {
	t.Parallel()
	results := []result{{Peer: ours, Median: 30}, {Peer: "a", Median: 10}, {Peer: "b", Median: 20}}
	relate(results)
	require.Equal(t, []float64{1.5, 0.5, 1}, []float64{results[0].Ratio, results[1].Ratio, results[2].Ratio})
}

func TestParse_RefusesUnknownNames(t *testing.T) {
	t.Parallel()
	_, err := parse([]string{"--peers", "redis,none"}, t.Output())
	require.EqualError(t, err, `there is no peer "none"; there are gospaces,redis,beanstalkd,nats,postgres,tarantool`)
}
