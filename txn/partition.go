package txn

import "context"

// Partitions are those that transactions may span. The methods may be called concurrently and do not wait for a
// partition.
type Partitions interface {
	// At returns the partition at an address, or nil.
	At(a Address) Partition
	// Gone reports whether there is no partition at an address, and will not be one that knows of what was there: its
	// space was dropped. It is false of a partition that is not here for now.
	Gone(a Address) bool
	// All returns the addresses of all partitions.
	All() []Address
}

// Partition is what the protocol needs of a partition: it is home to transactions that begin there, and holds branches
// of those that began elsewhere and reach into it. All methods may be called concurrently.
//
// A method with a context returns when what it did is durable, and has done nothing that a crash could take back when
// it returns nil. When it returns an error, ctx's or another, it may have acted or not.
type Partition interface {
	Home
	Host
}

// Home is a partition as the place where transactions begin, and where their outcome is decided.
type Home interface {
	// Enlist notes that the partition at an address is about to hold a branch of a transaction, and does not wait for
	// anything. It returns an error if the transaction has ended. If it was enlisted before, its branch was lost:
	// Enlist then aborts the transaction, and returns an error as well.
	Enlist(number uint64, at Address) error

	// Participants returns the partitions that were enlisted; none if the transaction has ended.
	Participants(number uint64) []Address

	// Alive reports whether a transaction can be used: it has not ended, and its lease has not either. It does not
	// wait.
	Alive(number uint64) bool

	// Dissolve aborts a transaction. It returns an error if it has ended before.
	Dissolve(ctx context.Context, number uint64) error

	// Outcome tells what has become of a transaction.
	Outcome(ctx context.Context, number uint64) (Outcome, error)

	// Forget lets the home forget that a transaction was committed. No participant may ask for its outcome any more.
	Forget(ctx context.Context, number uint64) error

	// Decisions returns the transactions that were committed and not yet forgotten; none while the partition does not
	// serve.
	Decisions() []Decision
}

// Host is a partition as a holder of branches. A branch is named by the full ID of its transaction.
type Host interface {
	// HasBranch reports whether there is a branch of the transaction.
	HasBranch(id ID) bool

	// Join makes a branch, and does not wait for anything.
	Join(id ID) error

	// Drop aborts a branch unless it is prepared, and does not wait.
	Drop(id ID)

	// Prepare makes what was done in a branch durable and keeps it locked, across crashes, until Commit or Abort. It
	// returns false if there is nothing to keep: the branch has then ended. It returns an error if there is no such
	// branch.
	Prepare(ctx context.Context, id ID) (prepared bool, err error)

	// Commit makes a prepared branch's effects real, and Abort undoes a branch. They return nil, too, if there is no
	// such branch any more.
	Commit(ctx context.Context, id ID) error
	Abort(ctx context.Context, id ID) error

	// Branches returns the transactions that have a branch here, prepared or not; none while the partition does not
	// serve.
	Branches() []ID
}

// Outcome is what has become of a transaction.
type Outcome uint8

const (
	Unknown   Outcome = iota // there is none: it was aborted, or every branch has heard of its commit
	Active                   // it has not been decided
	Committed                // it was committed
)

// Decision is a transaction that was decided in its home, by number, and the partitions that hold branches of it.
type Decision struct {
	Number       uint64
	Participants []Address
}
