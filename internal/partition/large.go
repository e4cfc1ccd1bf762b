package partition

import (
	"os"

	"github.com/gospaces/gospaces/internal/call"
)

// largeWrite is the size in bytes from which a write allocates the memory for its records beforehand. Getting megabytes
// from the system takes longer than writing into them, and others would wait for it.
const largeWrite = 1 << 20

// recordHead is the usual size of a record of an entry besides the row.
const recordHead = 32

// bring returns memory for the records of a large write, with room for those that already wait for the log; nil for
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
		room[i] = 1 // makes the system provide the page
	}
	return room[:0]
}

// provide gives the engine the memory from bring.
func (p *Partition) provide(room []byte) {
	if cap(room) <= cap(p.e.Log) {
		return
	}
	old := p.e.Log
	p.e.Log = append(room, old...)
	p.commits.recycle(old[:0])
}
