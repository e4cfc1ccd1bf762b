package txn

import "context"

// Partitions are the partitions that transactions may span. All methods may be called concurrently, and do not wait for
// a partition.
type Partitions interface {
	// At returns the partition at an address, or nil.
	At(a Address) Partition
	// Gone reports whether there is no partition at an address, and will not be one that knows of what was there: its
	// space was dropped. It is false of a partition that is not here for now.
	Gone(a Address) bool
	// All returns the addresses of all partitions.
	All() []Address
}

// Partition is one participant of the protocol: it is the home of transactions that begin there, and the host of
// branches of transactions that began elsewhere. All methods may be called concurrently.
//
// A method with a context returns nil only once its effect is durable. If it returns an error, ctx's or another, it may
// or may not have acted.
type Partition interface {
	Home
	Host
}

// Home is a partition in which transactions begin, and which decides their outcome.
type Home interface {
	// Enlist records that the partition at an address is about to hold a branch of a transaction. It does not wait. It
	// returns an error if the transaction has ended. If the partition was enlisted before, its branch was lost: Enlist
	// then aborts the transaction, and returns an error.
	Enlist(number uint64, at Address) error

	// Participants returns the enlisted partitions; none if the transaction has ended.
	Participants(number uint64) []Address

	// Alive reports whether a transaction can be used: neither it nor its lease has ended. It does not wait.
	Alive(number uint64) bool

	// Dissolve aborts a transaction. It returns an error if the transaction has already ended.
	Dissolve(ctx context.Context, number uint64) error

	// Outcome returns the outcome of a transaction.
	Outcome(ctx context.Context, number uint64) (Outcome, error)

	// Decided reports whether a transaction was committed and is not forgotten, as far as the log knows. It waits for a
	// partition that is reading its log, and returns an error if ctx or the partition ends first. It answers as soon as
	// the log has been read, unlike Outcome: false may still become true, by an append that is on its way to the log
	// and that no caller has been told of.
	Decided(ctx context.Context, number uint64) (bool, error)

	// Forget removes the record of a committed transaction. From then on no participant may ask for its outcome.
	Forget(ctx context.Context, number uint64) error

	// Decisions returns the committed transactions that are not yet forgotten; none while the partition does not serve.
	Decisions() []Decision
}

// Host is a partition that holds branches. A branch is named by the full ID of its transaction.
type Host interface {
	// HasBranch reports whether the partition has a branch of the transaction.
	HasBranch(id ID) bool

	// Join creates a branch. It does not wait.
	Join(id ID) error

	// Drop aborts a branch unless it is prepared. It does not wait.
	Drop(id ID)

	// Prepare makes the changes of a branch durable and keeps them locked, across crashes, until Commit or Abort. It
	// returns false if there is nothing to keep: the branch has then ended. It returns an error if the branch does not
	// exist.
	Prepare(ctx context.Context, id ID) (prepared bool, err error)

	// Commit applies the changes of a prepared branch, and Abort undoes a branch. Both return nil if the branch does not
	// exist any more.
	Commit(ctx context.Context, id ID) error
	Abort(ctx context.Context, id ID) error

	// Branches returns the transactions that have a branch here, prepared or not; none while the partition does not serve.
	Branches() []ID
}

// Outcome is the outcome of a transaction, as its home knows it.
type Outcome uint8

const (
	Unknown   Outcome = iota // not known: it was aborted, or every branch has been told of its commit
	Active                   // not decided yet
	Committed                // committed
)

// Decision is a committed transaction, by its number in its home, and the partitions that hold branches of it.
type Decision struct {
	Number       uint64
	Participants []Address
}
