package txn

import "context"

// Partitions are the partitions that transactions may span. All methods may be called concurrently. Those without a
// context do not wait for a partition.
type Partitions interface {
	// At returns the partition at an address, wherever it is served; nil if it is not known where that could be.
	At(a Address) Partition
	// Here returns the partition at an address if this process serves it; otherwise nil.
	Here(a Address) Local
	// Gone reports whether there is no partition at an address, and will not be one that knows of what was there: its
	// space was dropped. It is false of a partition that is not here for now, and while that is not certain.
	Gone(ctx context.Context, a Address) bool
	// All returns the addresses of the partitions that this process serves.
	All() []Address
}

// Partition is one participant of the protocol: it is the home of transactions that begin there, and the host of
// branches of transactions that began elsewhere. These are the steps that a process asks of partitions which another
// one may serve. All methods may be called concurrently.
//
// A method returns nil only once its effect is durable. If it returns an error, ctx's or another, it may or may not
// have acted, and may act later. It may be called again, and act twice: that has the effect of one call.
type Partition interface {
	// Dissolve aborts a transaction whose home this is. It returns an error if the transaction has already ended.
	Dissolve(ctx context.Context, number uint64) error

	// Outcome returns the outcome of a transaction whose home this is. Of an outcome other than Committed it must be
	// certain that no other process serves the partition.
	Outcome(ctx context.Context, number uint64) (Outcome, error)

	// Prepare makes the changes of a branch durable and keeps them locked, across crashes, until Commit or Abort. It
	// returns false if there is nothing to keep: the branch has then ended. It returns an error if that incarnation of
	// the branch does not exist.
	Prepare(ctx context.Context, id ID, of Incarnation) (prepared bool, err error)

	// Commit applies the changes of a prepared branch, and Abort undoes a branch. Both return nil if the branch does not
	// exist any more.
	Commit(ctx context.Context, id ID) error
	Abort(ctx context.Context, id ID) error
}

// Local is a partition that this process serves. Methods without a context do not wait.
type Local interface {
	Partition
	Home
	Host
}

// Home is a partition in which transactions begin, and which decides their outcome.
type Home interface {
	// Enlist records a branch of a transaction that is about to be used; again is no harm. It returns an error if the
	// transaction has ended. If another branch in that partition was enlisted before, that one was lost: Enlist then
	// aborts the transaction, and returns an error.
	Enlist(number uint64, b Branch) error

	// Participants returns the enlisted branches; none if the transaction has ended.
	Participants(number uint64) []Branch

	// Alive reports whether a transaction can be used: neither it nor its lease has ended.
	Alive(number uint64) bool

	// Decided reports whether a transaction was committed and is not forgotten, as far as the log knows. It waits for a
	// partition that is reading its log, and returns an error if ctx or the partition ends first. It answers as soon as
	// the log has been read, unlike Outcome: false may still become true, by an append that is on its way to the log
	// and that no caller has been told of.
	Decided(ctx context.Context, number uint64) (bool, error)

	// Forget removes the record of a committed transaction. From then on no participant may ask for its outcome. It
	// returns nil once that is durable.
	Forget(ctx context.Context, number uint64) error

	// Decisions returns the committed transactions that are not yet forgotten; none while the partition does not serve.
	Decisions() []Decision
}

// Host is a partition that holds branches. A branch is named by the full ID of its transaction.
type Host interface {
	// HasBranch reports whether the partition has a branch of the transaction.
	HasBranch(id ID) bool

	// Join creates a branch, if there is none.
	Join(id ID) (Incarnation, error)

	// Drop aborts a branch unless it is prepared.
	Drop(id ID)

	// Branches returns the transactions that have a branch here, prepared or not, and Prepared those whose branch is
	// prepared; none while the partition does not serve.
	Branches() []ID
	Prepared() []ID
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
