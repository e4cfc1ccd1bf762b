package call

import (
	"fmt"

	"github.com/gospaces/gospaces/template"
)

// A call takes effect in one instant, so its size is limited.
const (
	// DefaultTxnEntries is the default limit on the entries that a transaction may hold, and that one call may write.
	DefaultTxnEntries = 1 << 12
	// MaxFind is the maximum number of entries in the result of one read, take or page.
	MaxFind = 1 << 12
	// MaxTemplates is the maximum number of templates of a query.
	MaxTemplates = 1 << 10
	// MaxQueryFields is the maximum number of fields that the templates of a query bring, in all.
	MaxQueryFields = 1 << 16
	// MaxQueryBytes is the maximum size of the operands of a query.
	MaxQueryBytes = 8 << 20
	// MaxReplicas is the maximum number of replicas of a partition.
	MaxReplicas = 5
	// MaxLeases is the maximum number of leases of a renew or cancel, and of entries that a rollback keeps.
	MaxLeases = 1 << 16
	// AnswerBytes limits the rows in one result: the entry that reaches the limit is the last.
	AnswerBytes = 4 << 20
)

// CheckTemplates returns an ErrInvalidArgument if a query has too many templates, or conditions and operands in them.
func CheckTemplates(templates, operands int) error {
	if templates > MaxTemplates {
		return fmt.Errorf("%w: %d templates in one query; at most %d are allowed: ask in parts, or for several values "+
			"of one field (OneOf)", ErrInvalidArgument, templates, MaxTemplates)
	}
	if operands > template.MaxOperands {
		return fmt.Errorf("%w: %d conditions and operands in one query; at most %d are allowed: ask in parts",
			ErrInvalidArgument, operands, template.MaxOperands)
	}
	return nil
}

// CheckLeases returns an ErrTooLarge if n leases, or entries to keep, are too many for one call.
func CheckLeases(n int) error {
	if n > MaxLeases {
		return fmt.Errorf("%w: %d leases in one call; at most %d are allowed: call several times", ErrTooLarge, n, MaxLeases)
	}
	return nil
}

// TooManyEntries returns the ErrTooLarge of a transaction that would hold n entries and may hold only allowed.
func TooManyEntries(n, allowed int) error {
	return fmt.Errorf("%w: the transaction would hold %d entries that it has read, taken, written or changed; "+
		"at most %d are allowed: commit in parts", ErrTooLarge, n, allowed)
}
