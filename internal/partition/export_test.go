package partition

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/record"
)

// Spoil removes an entry from the state of a follower, which the log does not know.
func Spoil(t *testing.T, p *Partition) {
	p.mu.Lock()
	defer p.mu.Unlock()
	found := p.e.Find(0, &call.Query{Templates: []call.Template{{}}, Max: 1}).Entries
	require.NotEmpty(t, found)
	lsn := p.e.LSN()
	require.NoError(t, p.e.Apply(record.AppendRemove(nil, found[0].ID, uint32(found[0].Kind), record.Taken)))
	p.commits.durable = LSN(max(lsn, p.e.LSN()))
}

// WatchHolds makes p call the functions after it takes its lock and before it releases it. It must precede any use of
// p.
func WatchHolds(p *Partition, locked, unlocking func()) {
	p.mu.locked, p.mu.unlocking = locked, unlocking
}

// At returns the position of the last message of the log that p has applied, or appended, and the hash of its state.
func At(p *Partition) (position, hash uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.commits.position, p.e.Hash()
}

// RoleOf returns the name of p's role.
func RoleOf(p *Partition) string { return p.now().String() }

// Building reports whether p builds indexes.
func Building(p *Partition) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.e.Busy()
}

// KnowsTime reports whether the clock of a partition runs.
func KnowsTime(p *Partition) bool { return p.knowsTime() }

// TimeOf returns the time of the space.
func TimeOf(p *Partition) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.clock.now()
}
