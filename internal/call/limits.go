package call

import "fmt"

// A call takes effect in one instant, so its size is limited.
const (
	// DefaultTxnEntries is the default limit on the entries that a transaction may hold, and that one call may write.
	DefaultTxnEntries = 1 << 12
	// MaxFind is the maximum number of entries in the result of one read, take or page.
	MaxFind = 1 << 12
	// AnswerBytes limits the rows in one result: the entry that reaches the limit is the last.
	AnswerBytes = 4 << 20
)

// TooManyEntries returns the ErrTooLarge of a transaction that would hold n entries and may hold only allowed.
func TooManyEntries(n, allowed int) error {
	return fmt.Errorf("%w: the transaction would hold %d entries that it has read, taken, written or changed; "+
		"at most %d are allowed: commit in parts", ErrTooLarge, n, allowed)
}
