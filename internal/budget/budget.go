// Package budget bounds the memory of a process.
//
// What holds memory for the sake of callers charges it to the one Budget of the process: in steps, by counters that it has anyway, so that
// a call costs no more than a comparison. What nobody charges is found by measuring, after each collection of garbage (Watch). When a
// budget is scarce, calls are refused that would store more; when it is tight, so are calls that would wait; when it is full, so are all that
// need memory to be served. So neither what is stored nor what waits can keep the others from making room.
package budget

import (
	"errors"
	"fmt"
	"sync/atomic"
)

// Step is the change of what it holds from which on a holder of memory charges it.
const Step = 64 << 10

// The parts of a budget, in percent of its limit, from which on it is scarce, tight, and full. The rest is for garbage that was not yet collected.
const (
	scarcePart = 70
	tightPart  = 75
	fullPart   = 80
)

// Budget is the memory of a process: what there may be, and what is in use. A nil Budget is without limit. Its methods may be called
// concurrently, and none blocks.
type Budget struct {
	limit, scarce, tight, full int64

	charged atomic.Int64
	beyond  atomic.Int64 // what was in use at the last measurement beyond what was charged
	refused atomic.Uint64
}

// New returns a Budget of limit bytes; nil, which is without limit, if that is 0.
func New(limit int64) *Budget {
	if limit <= 0 {
		return nil
	}
	return &Budget{limit: limit, scarce: limit / 100 * scarcePart, tight: limit / 100 * tightPart, full: limit / 100 * fullPart}
}

// Add charges n bytes whatever there is left, or gives them back if n is negative.
func (b *Budget) Add(n int64) {
	if b != nil {
		b.charged.Add(n)
	}
}

// Settle charges what a holder has now instead of what it has charged so far, if the difference is worth it, and returns what it has charged then.
func (b *Budget) Settle(charged, now int64) int64 {
	d := now - charged
	if b == nil || d == 0 || -Step < d && d < Step && now != 0 {
		return charged
	}
	b.charged.Add(d)
	return now
}

// Refusal returns nil while memory is not full, and the error of a call that is refused for that from then on.
func (b *Budget) Refusal(why error) error {
	if !b.Full() {
		return nil
	}
	return b.Refuse(why)
}

// Reserve charges n bytes and reports true, or reports false if the budget would be full then.
func (b *Budget) Reserve(n int64) bool { return b == nil || b.reserve(n, b.full) }

// Keep is Reserve for what is held for as long as a client likes: it reports false if the budget would be tight then.
func (b *Budget) Keep(n int64) bool { return b == nil || b.reserve(n, b.tight) }

func (b *Budget) reserve(n, bound int64) bool {
	if b.charged.Add(n)+b.beyond.Load() < bound {
		return true
	}
	b.charged.Add(-n)
	return false
}

// Scarce reports whether memory is too scarce for calls that would keep some for good.
func (b *Budget) Scarce() bool { return b != nil && b.used() >= b.scarce }

// Tight reports whether there is no memory left for calls that wait.
func (b *Budget) Tight() bool { return b != nil && b.used() >= b.tight }

// Full reports whether there is no memory left for calls that need it to be served.
func (b *Budget) Full() bool { return b != nil && b.used() >= b.full }

func (b *Budget) used() int64 { return b.charged.Load() + b.beyond.Load() }

// Refuse counts a call that is refused because the budget is scarce or full, and returns its error, which wraps why.
func (b *Budget) Refuse(why error) error {
	b.refused.Add(1)
	return fmt.Errorf("%w: the server uses %d MiB of the %d that --max-memory allows; take or cancel entries, or allow more",
		why, b.used()>>20, b.limit>>20)
}

// Stats is a budget in numbers.
type Stats struct {
	Limit   int64  // 0: there is none
	Charged int64  // bytes that are held for callers, as they are counted
	Beyond  int64  // bytes that the process uses besides
	Refused uint64 // calls, and frames, that were refused because the budget was scarce or full
}

// Stats returns the present numbers.
func (b *Budget) Stats() Stats {
	if b == nil {
		return Stats{}
	}
	return Stats{Limit: b.limit, Charged: b.charged.Load(), Beyond: b.beyond.Load(), Refused: b.refused.Load()}
}

// minLimit is the least that a server can do anything with.
const minLimit = 64 << 20

// ErrTooSmall is returned for a limit with which a server cannot work.
var ErrTooSmall = errors.New("a server needs 64 MiB of memory at least")

// Check returns ErrTooSmall for a limit that is too small; 0 is none.
func Check(limit int64) error {
	if limit != 0 && limit < minLimit {
		return fmt.Errorf("%w: %d bytes are too few", ErrTooSmall, limit)
	}
	return nil
}
