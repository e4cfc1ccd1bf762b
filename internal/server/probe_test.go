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

// took counts what Config.Took is told.
type took struct {
	mu    sync.Mutex
	count map[string]int
	least time.Duration
}

func (k *took) add(op string, d time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.count[op]++
	k.least = min(k.least, d)
}

func (k *took) of(op string) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.count[op]
}

func TestProbe_MeasuresOneOfManyCalls(t *testing.T) {
	t.Parallel()
	k := &took{count: map[string]int{}}
	r := newRig(t, server.Config{Took: k.add}, partition.Config{})
	defer r.close()
	p := r.join()
	p.register() // the first call of a client is measured
	for i := range uint64(256) {
		p.call(wire.Write, 10+i, writeBody("a"))
	}
	require.Equal(t, 1, k.of("Register"))
	require.Equal(t, 2, k.of("Write"))
	require.GreaterOrEqual(t, k.least, time.Duration(0))
}

func TestProbe_LeavesOutCallsThatWait(t *testing.T) {
	t.Parallel()
	k := &took{count: map[string]int{}}
	r := newRig(t, server.Config{Took: k.add}, partition.Config{})
	defer r.close()
	p := r.join()
	p.register()
	for i := range uint64(127) {
		p.send(wire.Find, 10+i, findBody(true, false))
		require.Error(t, p.failure(10+i))
	}
	p.send(wire.Find, 1000, findBody(true, true)) // would be measured
	p.call(wire.Write, 1001, writeBody("a"))
	p.answer(1000)
	require.Equal(t, map[string]int{"Register": 1}, k.count)
}

func TestProbe_MeasuresUntilTheOutcomeIsDurable(t *testing.T) {
	t.Parallel()
	k := &took{count: map[string]int{}}
	log := make(gate, 2)
	r := newRig(t, server.Config{Took: k.add}, partition.Config{Log: log})
	defer func() { close(log); r.close() }()
	p := r.join()
	p.send(wire.Register, 2, kindBody)
	require.Equal(t, wire.Kind, p.next().Type)
	p.call(wire.Echo, 3, nil)
	require.Zero(t, k.of("Register"))
	log <- nil
	p.answer(2)
	require.Equal(t, 1, k.of("Register"))
}
