// Package budget bounds the memory of a process.
//
// Components that hold memory for callers charge it to the one Budget of the process: in steps, by counters that they
// have anyway, so that a call costs only a comparison. Memory that no component charges is measured after each garbage
// collection (Watch). When a budget is scarce, calls that would store more are refused; when it is tight, also calls
// that would wait; when it is full, all calls that need memory. Stored entries and waiting calls therefore never
// prevent other calls from freeing memory.
package budget

import (
	"errors"
	"fmt"
	"sync/atomic"
)

// Step is the change of memory at which a component updates its charge.
const Step = 64 << 10

// Percentages of the limit at which a budget is scarce, tight, and full. The rest is for garbage that is not collected
// yet.
const (
	scarcePart = 70
	tightPart  = 75
	fullPart   = 80
)

// Budget is the memory of a process: its limit, and the memory in use. A nil Budget has no limit. Methods may be called
// concurrently, and do not block.
type Budget struct {
	limit, scarce, tight, full int64

	charged atomic.Int64
	beyond  atomic.Int64 // uncharged memory in use at the last measurement
	refused atomic.Uint64
}

// New returns a Budget of limit bytes; nil, which has no limit, if limit is 0.
func New(limit int64) *Budget {
	if limit <= 0 {
		return nil
	}
	return &Budget{
		limit: limit, scarce: limit / 100 * scarcePart, tight: limit / 100 * tightPart,
		full: limit / 100 * fullPart,
	}
}

// Add charges n bytes regardless of the limit, or returns them if n is negative.
func (b *Budget) Add(n int64) {
	if b != nil {
		b.charged.Add(n)
	}
}

// Settle replaces a charge by the bytes in use now, if the difference is at least a Step, and returns the new charge.
func (b *Budget) Settle(charged, now int64) int64 {
	d := now - charged
	if b == nil || d == 0 || -Step < d && d < Step && now != 0 {
		return charged
	}
	b.charged.Add(d)
	return now
}

// Refusal returns the error for a refused call if memory is full, and nil otherwise.
func (b *Budget) Refusal(why error) error {
	if !b.Full() {
		return nil
	}
	return b.Refuse(why)
}

// Reserve charges n bytes and returns true, unless that would make the budget full.
func (b *Budget) Reserve(n int64) bool { return b == nil || b.reserve(n, b.full) }

// Keep is Reserve for memory that is held as long as a client likes: it returns false if the budget would be tight.
func (b *Budget) Keep(n int64) bool { return b == nil || b.reserve(n, b.tight) }

func (b *Budget) reserve(n, bound int64) bool {
	if b.charged.Add(n)+b.beyond.Load() < bound {
		return true
	}
	b.charged.Add(-n)
	return false
}

// Scarce reports whether memory is too scarce for calls that would store more.
func (b *Budget) Scarce() bool { return b != nil && b.used() >= b.scarce }

// Tight reports whether there is no memory for calls that wait.
func (b *Budget) Tight() bool { return b != nil && b.used() >= b.tight }

// Full reports whether there is no memory for calls that need it.
func (b *Budget) Full() bool { return b != nil && b.used() >= b.full }

func (b *Budget) used() int64 { return b.charged.Load() + b.beyond.Load() }

// Refuse counts a call that is refused because the budget is scarce or full, and returns its error, which wraps why.
func (b *Budget) Refuse(why error) error {
	b.refused.Add(1)
	return fmt.Errorf("%w: the server uses %d MiB of the %d that --max-memory allows; "+
		"take or cancel entries, or allow more", why, b.used()>>20, b.limit>>20)
}

// Stats are the numbers of a budget.
type Stats struct {
	Limit   int64  // 0: no limit
	Charged int64  // bytes charged by components
	Beyond  int64  // uncharged bytes used by the process
	Refused uint64 // calls and frames refused because the budget was scarce or full
}

// Stats returns the current numbers.
func (b *Budget) Stats() Stats {
	if b == nil {
		return Stats{}
	}
	return Stats{Limit: b.limit, Charged: b.charged.Load(), Beyond: b.beyond.Load(), Refused: b.refused.Load()}
}

// minLimit is the smallest limit with which a server can work.
const minLimit = 64 << 20

// ErrTooSmall is returned for a limit with which a server cannot work.
var ErrTooSmall = errors.New("a server needs 64 MiB of memory at least")

// Check returns ErrTooSmall for a limit that is too small; 0 means no limit.
func Check(limit int64) error {
	if limit != 0 && limit < minLimit {
		return fmt.Errorf("%w: %d bytes are too few", ErrTooSmall, limit)
	}
	return nil
}
