package partition

import (
	"os"

	"github.com/gospaces/gospaces/internal/call"
)

// largeWrite is from how many bytes on a write brings the memory for its records along. To get some megabytes from the
// system takes longer than to write into them, and others would wait for it.
const largeWrite = 1 << 20

// recordHead is what a record of an entry has besides the row, mostly.
const recordHead = 32

// bring returns memory for the records of a write that is large, and of those that wait for the log already; nil for
// other writes. It is called without the lock.
func (p *Partition) bring(drafts []call.Draft) []byte {
	size := 0
	for i := range drafts {
		size += recordHead + len(drafts[i].Row)
	}
	if size < largeWrite || p.cfg.Log == nil { // without a log the engine keeps its memory
		return nil
	}
	room := make([]byte, size+2*sealSize)
	for i := 0; i < len(room); i += os.Getpagesize() {
		room[i] = 1 // now the system gives it
	}
	return room[:0]
}

// provide has the engine use memory that bring has returned.
func (p *Partition) provide(room []byte) {
	if cap(room) <= cap(p.e.Log) {
		return
	}
	old := p.e.Log
	p.e.Log = append(room, old...)
	p.commits.recycle(old[:0])
}
