package call

import "fmt"

// What a call does is one instant, so its size is bounded.
const (
	// DefaultTxnEntries is how many entries a transaction may hold, and one call may write, unless the space's limits
	// say otherwise.
	DefaultTxnEntries = 1 << 12
	// MaxFind is how many entries one read, take or page returns.
	MaxFind = 1 << 12
	// AnswerBytes bounds the rows of one answer: the entry with which they reach it is its last.
	AnswerBytes = 4 << 20
)

// TooManyEntries returns the ErrTooLarge of a transaction that would hold n entries, of which only so many are allowed.
func TooManyEntries(n, allowed int) error {
	return fmt.Errorf("%w: the transaction would hold %d entries that it has read, taken, written or changed; "+
		"at most %d are allowed: commit in parts", ErrTooLarge, n, allowed)
}
