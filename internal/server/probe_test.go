package server_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/internal/server"
	"github.com/gospaces/gospaces/internal/wire"
)

// took counts what Config.Took is told, by operation.
type took struct {
	mu    sync.Mutex
	count map[string]int
}

func (k *took) add(op string, _ time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.count[op]++
}

func (k *took) of(op string) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.count[op]
}

// measured returns a peer whose calls are measured. The first call of a client is.
func measured(t *testing.T, cfg partition.Config) (*peer, *took) {
	k := &took{count: map[string]int{}}
	r := newRig(t, server.Config{Took: k.add}, cfg)
	t.Cleanup(r.close)
	return r.join(), k
}

func TestProbe_MeasuresOneOfManyCalls(t *testing.T) {
	t.Parallel()
	p, k := measured(t, partition.Config{})
	p.register()
	for i := range uint64(256) {
		p.call(wire.Write, 10+i, writeBody("a"))
	}
	require.Equal(t, 1, k.of("Register"))
	require.Equal(t, 2, k.of("Write"))
}

func TestProbe_LeavesOutCallsThatWait(t *testing.T) {
	t.Parallel()
	p, k := measured(t, partition.Config{})
	p.register()
	for i := range uint64(127) {
		p.send(wire.Find, 10+i, findBody(true, false))
		require.Error(t, p.failure(10+i))
	}
	p.send(wire.Find, 1000, findBody(true, true)) // would be measured
	p.call(wire.Write, 1001, writeBody("a"))
	p.answer(1000)
	require.Zero(t, k.of("Find"))
	require.Zero(t, k.of("Write"))
}

func TestProbe_MeasuresUntilTheOutcomeIsDurable(t *testing.T) {
	t.Parallel()
	log := make(gate, 2)
	p, k := measured(t, partition.Config{Log: log})
	t.Cleanup(func() { close(log) })
	p.send(wire.Register, 2, kindBody)
	require.Equal(t, wire.Kind, p.next().Type)
	p.call(wire.Echo, 3, nil)
	require.Zero(t, k.of("Register"))
	log <- nil
	p.answer(2)
	require.Equal(t, 1, k.of("Register"))
}
