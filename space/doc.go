// Package space is a tuple space: a shared memory of entries that programs coordinate through. One program writes an
// entry, and another takes it; neither needs to know the other. A take without a match waits for one.
//
// # Entries and templates
//
// An entry is a value of a struct type. What the space stores is its kind (the type's name in snake case, or what a
// method Kind returns) and its fields, each on its own, so that readers in other programs may use other types. To find
// an entry, give the space a template, a value of the same type: fields that are not zero must be equal, others may
// have any value. Where adds comparisons, OrderBy an order other than the oldest first, Or further templates. A type
// that embeds another is of that kind too: a template of the embedded type matches it.
//
// Every exported field is stored: bools, numbers, strings, byte slices, times, durations, and pointers, slices, arrays,
// maps and structs of them. A field of another type makes the call return ErrInvalidArgument. The tag space:"name"
// renames a field and space:"-" leaves it out; unexported fields and json tags do not count.
//
// # Operations
//
// Write stores a copy of an entry. Read returns a copy of one that matches. Take also removes it: of all callers that
// ask for an entry, exactly one gets it. Both wait for a match until the context ends, or as long as Wait or NoWait
// allows. Every operation takes effect at one instant. Waiters are served first come, first served. ReadAll, TakeAll,
// WriteAll, Count and Contents deal with many entries at once.
//
// Update changes an entry in its place, Add counts in it. An entry written with Delay becomes visible later.
//
// # Options
//
// Options configure one call. Their types determine which calls they fit: Delay does not compile with Read, nor OrderBy
// with Count. An invalid option, such as a negative lease, makes the call return ErrInvalidArgument and change nothing.
// Options may be reused.
//
// # Transactions
//
// Calls under a transaction (Begin, In) take effect together when it commits, or not at all. Until then their writes
// are visible only under the transaction, and what they took is locked for others. If the transaction is aborted,
// entries it took are back in their places; the end of its lease aborts the transaction of a program that has died.
// TakeTxn takes an entry and begins a transaction for it in one call, and Stage writes the result with the commit: a
// worker loses nothing in two round trips, or in one with TakeNext, which commits and takes the next entry. Package
// work is the whole of such a worker: several jobs at a time, retries, dead letters, an orderly end.
//
// # Leases and events
//
// An entry lives as long as its lease, which is Forever unless For says less; the Lease that Write returns renews or
// cancels it. An entry with a short lease that KeepAlive renews vanishes when its program dies. Notify and Events
// report entries as they are written.
//
// # Spaces
//
// A Space is in this process (package memory), or on a server (package client). The functions of this package work the
// same with both:
//
//	type Job struct {
//		ID    int
//		State string
//	}
//
//	sp := memory.New(memory.Config{})
//	defer sp.Close()
//
//	_, err := space.Write(ctx, sp, Job{ID: 7, State: "new"}, space.For(time.Hour))
//
//	job, err := space.Take(ctx, sp, Job{State: "new"}) // any job that is new; waits for one
//	job.State = "done"
//	_, err = space.Write(ctx, sp, job)
//
//	done, err := space.Count(ctx, sp, Job{State: "done"})
//
// An option, or a function to call, that is nil is an ErrInvalidArgument.
//
// # Implementations
//
// Programs may implement Space, for example for tests. A value that changes a few methods embeds the Space that it
// wraps. One of its own keeps a codec.Cache (package codec) for Codecs, and makes handles of what it grants by
// Grant.Lease and Grant.Txn. If it learns that a transaction has ended it calls Txn.Lose; Txn.Through makes a
// transaction use a value that wraps the space. Spaces that share transactions have two more methods: Group, which
// returns a value that is equal for all of them, and Home, which returns the space in which a transaction began.
package space
