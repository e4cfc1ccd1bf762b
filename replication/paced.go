package replication

import (
	"fmt"
	"os"
)

// paced is a large file that is written from beginning to end. After every few MiB it has the system store what was
// written, and forget it. Otherwise hundreds of MiB of unwritten pages gather, and while the system looks for memory
// for them, the log and the calls that wait for it queue up.
type paced struct {
	file    *os.File
	written int64
	begun   int64 // up to there the system was told to store what was written
	stored  int64 // up to there it has, and has forgotten it
}

// pace is how many bytes are stored at a time. Twice as many are at most on their way.
const pace = 8 << 20

// Write implements io.Writer. It blocks while the disk is slower than the caller.
func (p *paced) Write(b []byte) (int, error) {
	n, err := p.file.Write(b)
	p.written += int64(n)
	if err != nil || p.written-p.begun < pace {
		return n, err
	}
	if err := beginStoring(p.file, p.begun, p.written); err != nil {
		return n, fmt.Errorf("store: %w", err)
	}
	if err := finishStoring(p.file, p.stored, p.begun); err != nil {
		return n, fmt.Errorf("store: %w", err)
	}
	p.stored, p.begun = p.begun, p.written
	return n, nil
}
