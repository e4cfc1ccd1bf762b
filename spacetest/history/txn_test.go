package history

import (
	"time"
)

func in(txn int, o Op) Op               { o.Txn = txn; return o }
func commit(txn int, items ...Item) Op  { return Op{Verb: Commit, Txn: txn, Items: items} }
func abort(txn int) Op                  { return Op{Verb: Abort, Txn: txn} }
func rollback(txn int, keep ...Item) Op { return Op{Verb: Rollback, Txn: txn, Items: keep} }
func update(i Item) Op                  { return Op{Verb: Update, Items: []Item{i}} }
func begin(txn int) Op                  { return Op{Verb: Begin, Txn: txn} }
func crash() Op                         { return Op{Verb: Crash} }
func ifExists(o Op) Op                  { o.IfExists = true; return o }
func scattered(o Op) Op                 { o.Scattered = true; return o }
func late(o Op) Op                      { o.Late = true; return o }

// then adds calls that follow each other.
func then(ops []Op, t time.Duration, more ...Op) []Op {
	for i, o := range more {
		ops = append(ops, at(t+2*time.Duration(i), t+2*time.Duration(i)+1, o))
	}
	return ops
}

// v returns version n of an item.
func v(i Item, n int) Item { i.V = n; return i }

// txnHistories is like histories, with transactions. Calls follow each other unless their times are given.
var txnHistories = []testHistory{
	{
		"committed write", "", true,
		then(nil, 0, in(1, write(a1)), in(1, read(keyA, a1)), take(keyA), commit(1), take(keyA, a1)),
	},
	{
		"commit that writes", "", true,
		then(nil, 0, write(a1), in(1, take(keyA, a1)), commit(1, b4), take(Pattern{}, b4), take(Pattern{})),
	},
	{"aborted write", "", true, then(nil, 0, in(1, write(a1)), abort(1), take(keyA))},
	{
		"aborted take comes back in its old place", "", true,
		then(nil, 0, write(a1), write(a2), in(1, take(keyA, a1)), read(keyA, a2), abort(1), take(keyA, a1)),
	},
	{"committed take", "", true, then(nil, 0, write(a1), in(1, take(keyA, a1)), take(keyA), commit(1), take(keyA))},
	{
		"the order is that of the commits", "", true,
		then(nil, 0, in(1, write(a1)), write(a2), commit(1), take(keyA, a2), take(keyA, a1)),
	},
	{
		"late in the order", "", false,
		then(nil, 0, in(1, late(write(a1))), commit(1), write(a2), take(keyA, a2), take(keyA, a1)),
	},
	{
		"late, but not older than what was there", OutOfOrder, false,
		then(nil, 0, write(a2), in(1, late(write(a1))), commit(1), take(keyA, a1)),
	},
	{
		"read lock", "", true,
		then(nil, 0, write(a1), in(1, read(keyA, a1)), read(keyA, a1), in(2, read(keyA, a1)), take(keyA), commit(1),
			take(keyA), abort(2), take(keyA, a1)),
	},
	{"promotion", "", true, then(nil, 0, write(a1), in(1, read(keyA, a1)), in(1, take(keyA, a1)), commit(1), read(keyA))},
	{
		"own take is none", "", true,
		then(nil, 0, write(a1), in(1, take(keyA, a1)), in(1, take(keyA)), in(1, ifExists(wait(100, read(keyA)))), abort(1)),
	},
	{
		"own write taken again", "", true,
		then(nil, 0, in(1, write(a1)), in(1, take(keyA, a1)), in(1, read(keyA)), commit(1), read(keyA)),
	},
	{
		"rollback", "", true,
		then(nil, 0, write(a1, a2), in(1, take(keyA, a1)), in(1, take(keyA, a2)), in(1, write(a3)), rollback(1, a1),
			take(keyA, a2), in(1, write(b4)), commit(1), read(Pattern{}, b4)),
	},
	{
		"a lock was lost, and the transaction goes on elsewhere", "", false,
		then(nil, 0, write(a1), in(1, scattered(take(keyA, a1))), read(keyA, a1), in(1, scattered(write(b4))),
			with(Refused, commit(1))),
	},
	{
		"a lock is free some time after the end", "", false,
		then(nil, 0, write(a1), write(a2), in(1, scattered(take(keyA, a1))), abort(1), take(keyA, a2), take(keyA, a1)),
	},
	{
		"a lock was not lost if it was used later", Unlocked, false,
		then(nil, 0, write(a1), write(a2), in(1, scattered(take(keyA, a1))), read(keyA, a1),
			in(1, scattered(take(keyA, a2))), abort(1)),
	},
	{
		"a lock was not lost if the transaction was committed", OutsideLife, false,
		then(nil, 0,
			write(a1), in(1, scattered(take(keyA, a1))), read(keyA, a1), in(1, scattered(write(b4))), commit(1)),
	},
	{
		"ended by a commit of unknown outcome, which an abort finds", "", true,
		then(
			[]Op{
				at(4, 9, with(Unknown, commit(1))), at(5, 6, read(keyA, a1)),
				at(7, 8, take(keyA, a1)), at(10, 11, abort(1)),
			}, 0,
			write(a1), in(1, take(keyA, a1)),
		),
	},
	{
		"expired", "", true,
		then(nil, 0, begin(1), write(a1), in(1, take(keyA, a1)), in(1, write(b4)), with(Ended, in(1, take(keyA))),
			with(Ended, commit(1)), take(Pattern{}, a1)),
	},
	{
		"crashed", "", true,
		then(nil, 0, write(a1), in(1, take(keyA, a1)), in(1, write(b4)), crash(), with(Ended, commit(1)),
			take(Pattern{}, a1)),
	},
	{
		"crashed, having only taken", "", true,
		then(nil, 0, write(a1), in(1, take(keyA, a1)), crash(), read(keyA), commit(1), read(keyA)),
	},
	{
		"crashed, having only taken, and ended", "", true,
		then(nil, 0, write(a1), in(1, take(keyA, a1)), crash(), read(keyA), with(Ended, commit(1)), read(keyA, a1)),
	},
	{
		"crashed before the log knew", "", true,
		then(nil, 0, write(a1), in(1, take(keyA, a1)), crash(), read(keyA, a1), with(Ended, commit(1))),
	},
	{
		"unknown commit that happened", "", true,
		then(nil, 0, write(a1), in(1, take(keyA, a1)), in(1, write(b4)), with(Unknown, commit(1)), crash(),
			take(Pattern{}, b4)),
	},
	{
		"unknown commit that did not happen", "", true,
		then(nil, 0, write(a1), in(1, take(keyA, a1)), in(1, write(b4)), with(Unknown, commit(1)), crash(),
			take(Pattern{}, a1), take(Pattern{})),
	},
	{
		"unknown commit of takes only", "", true,
		then(nil, 0, write(a1), in(1, take(keyA, a1)), with(Unknown, commit(1)), crash(), take(Pattern{})),
	},
	{
		"unknown commit that happens late", "", true,
		then(nil, 0, in(1, write(b4)), with(Unknown, commit(1)), take(Pattern{}), take(Pattern{}, b4)),
	},
	{
		"unknown take under a transaction", "", true,
		then(nil, 0, write(a1), with(Unknown, in(1, take(keyA))), take(keyA), with(Ended, abort(1)), take(keyA, a1)),
	},
	{
		"deadlock", "", true,
		then(nil, 0, write(a1), in(1, read(keyA, a1)), in(2, read(keyA, a1)), with(Ended, in(2, take(keyA))),
			in(1, take(keyA, a1)), commit(1), with(Ended, commit(2))),
	},
	{
		"a waiting call gets what a commit brings", "", true,
		[]Op{at(0, 9, take(keyA, a1)), at(1, 2, in(1, write(a1))), at(3, 8, commit(1))},
	},
	{
		"a waiting take gets what an abort gives back", "", true,
		[]Op{at(0, 1, write(a1)), at(2, 3, in(1, take(keyA, a1))), at(4, 9, take(keyA, a1)), at(5, 8, abort(1))},
	},
	{"IfExists ends when the lock does", "", true, []Op{
		at(0, 1, write(a1)), at(2, 3, in(1, take(keyA, a1))), at(4, 9, ifExists(wait(100, take(keyA)))), at(5, 8, commit(1)),
	}},
	{
		"a lease ends under a lock", "", true,
		then(nil, 0, lease(10, write(a1)), in(1, take(keyA, a1)), read(keyA), read(keyA), read(keyA), read(keyA), abort(1),
			read(keyA)),
	},
	{
		"a cancel under a lock", "", true,
		then(nil, 0, write(a1), in(1, take(keyA, a1)), cancel(a1), commit(1), with(None, cancel(a1))),
	},
	{
		"updates", "", true,
		then(nil, 0, write(a1), update(v(a1, 1)), read(keyA, v(a1, 1)), with(None, update(v(a1, 1))), in(1, update(v(a1, 2))),
			in(1, read(keyA, v(a1, 2))), read(keyA),
			commit(1), take(keyA, v(a1, 2))),
	},
	{
		"aborted update", "", true,
		then(nil, 0, write(a1), in(1, update(v(a1, 1))), abort(1), read(keyA, a1), update(v(a1, 1)), take(keyA, v(a1, 1))),
	},
	{
		"an unknown update that came too late", "", true,
		then(nil, 0, write(a1), with(Unknown, update(v(a1, 1))), update(v(a1, 1)), read(keyA, v(a1, 1))),
	},
	{
		"an unknown update that happened", "", true,
		then(nil, 0, write(a1), with(Unknown, update(v(a1, 1))), read(keyA, v(a1, 1)), update(v(a1, 2)),
			take(keyA, v(a1, 2))),
	},
	{
		"update keeps the place", "", true,
		then(nil, 0, write(a1), write(a2), update(v(a1, 1)), take(keyA, v(a1, 1)), take(keyA, a2)),
	},
	{
		"counts under transactions", "", true,
		then(nil, 0, write(a1), in(1, write(a2)), in(1, count(keyA, 2)), count(keyA, 1), in(1, take(keyA, a1)),
			count(keyA, 0), in(1, count(keyA, 1)), commit(1), count(keyA, 1)),
	},
	{
		"a call that raced with the commit", "", true,
		[]Op{
			at(0, 1, in(1, write(a1))), at(2, 9, in(1, read(keyA, a1))), at(3, 5, commit(1)),
			at(6, 7, with(Ended, in(1, read(keyA)))),
		},
	},

	{"uncommitted write is seen", Uncommitted, false, then(nil, 0, in(1, write(a1)), read(keyA, a1), commit(1))},
	{"aborted write is seen", Uncommitted, false, then(nil, 0, in(1, write(a1)), abort(1), read(keyA, a1))},
	{
		"write rolled back is seen", Uncommitted, false,
		then(nil, 0, in(1, write(a1)), rollback(1), commit(1), read(keyA, a1)),
	},
	{
		"write of an expired transaction is seen", Uncommitted, false,
		then(nil, 0, in(1, write(a1)), with(Ended, commit(1)), read(keyA, a1)),
	},
	{
		"uncommitted update is seen", Unlocked, false,
		then(nil, 0, write(a1), in(1, update(v(a1, 1))), read(keyA, v(a1, 1)), abort(1)),
	},
	{
		"aborted update is seen", Uncommitted, false,
		then(nil, 0, write(a1), in(1, update(v(a1, 1))), abort(1), read(keyA, v(a1, 1))),
	},
	{"old version", OutsideLife, false, then(nil, 0, write(a1), update(v(a1, 1)), read(keyA, a1))},
	{"invented version", NeverWritten, false, then(nil, 0, write(a1), read(keyA, v(a1, 1)))},
	{"lost update", LostUpdate, false, []Op{at(0, 1, write(a1)), at(2, 5, update(v(a1, 1))), at(3, 4, update(v(a1, 1)))}},
	{"lost update of two transactions", LostUpdate, false, []Op{
		at(0, 1, write(a1)), at(2, 4, in(1, update(v(a1, 1)))), at(5, 7, in(2, update(v(a1, 1)))), at(6, 9, commit(1)),
		at(10, 11, commit(2)),
	}},
	{"taken by two transactions", TakenTwice, false, []Op{
		at(0, 1, write(a1)), at(2, 5, in(1, take(keyA, a1))), at(3, 4, in(2, take(keyA, a1))), at(6, 7, commit(1)),
		at(8, 9, commit(2)),
	}},
	{"taken from under a lock", Unlocked, false, then(nil, 0, write(a1), in(1, take(keyA, a1)), take(keyA, a1), abort(1))},
	{"read from under a take", Unlocked, false, then(nil, 0, write(a1), in(1, take(keyA, a1)), read(keyA, a1), abort(1))},
	{
		"taken from under a read", Unlocked, false,
		then(nil, 0, write(a1), in(1, read(keyA, a1)), take(keyA, a1), commit(1)),
	},
	{
		"taken from under a read by another transaction", Unlocked, false,
		then(nil, 0, write(a1), in(1, read(keyA, a1)), in(2, take(keyA, a1)), abort(2), commit(1)),
	},
	{"changed under a read", Unlocked, false, then(nil, 0, write(a1), in(1, read(keyA, a1)), update(v(a1, 1)), commit(1))},
	{
		"read after its own take", OutsideLife, false,
		then(nil, 0, write(a1), in(1, take(keyA, a1)), in(1, read(keyA, a1)), commit(1)),
	},
	{
		"read after a committed take", OutsideLife, false,
		then(nil, 0, write(a1), in(1, take(keyA, a1)), commit(1), read(keyA, a1)),
	},
	{
		"aborted take moved the entry", OutOfOrder, false,
		then(nil, 0, write(a1, a2), in(1, take(keyA, a1)), abort(1), read(keyA, a2)),
	},
	{"aborted take lost the entry", Lost, false, then(nil, 0, write(a1), in(1, take(keyA, a1)), abort(1), read(keyA))},
	{
		"crash lost the entry", Lost, false,
		then(nil, 0, write(a1), in(1, take(keyA, a1)), crash(), with(Ended, commit(1)), read(keyA)),
	},
	{
		"crash left a lock of a transaction that has written", Lost, false,
		then(nil, 0, write(a1), in(1, take(keyA, a1)), in(1, write(b4)), crash(), read(keyA), with(Ended, commit(1))),
	},
	{"committed write is lost", Lost, false, then(nil, 0, in(1, write(a1)), commit(1), read(keyA))},
	{
		"own write is not seen", NoneDespite, false,
		then(nil, 0, in(1, write(a1)), in(1, read(keyA)), commit(1), take(keyA, a1)),
	},
	{
		"not locked", NoneDespite, false,
		then(nil, 0, write(a1), in(1, read(keyA, a1)), read(keyA), commit(1), take(keyA, a1)),
	},
	{
		"half a commit is seen", Lost, false,
		then(nil, 0, in(1, write(a1, b4)), commit(1), read(keyA, a1), read(Pattern{Key: 2})),
	},
	{
		"half an unknown commit is seen: a write without the take", Half, false,
		then(nil, 0, write(a1), in(1, take(keyA, a1)), in(1, write(b4)), with(Unknown, commit(1)), crash(),
			read(Pattern{Key: 2}, b4), read(keyA, a1)),
	},
	{
		"half an unknown commit is seen: the take without a write", Half, false,
		then(nil, 0, write(a1), in(1, take(keyA, a1)), in(1, write(b4)), with(Unknown, commit(1)), crash(), read(Pattern{})),
	},
	{
		"half an unknown commit is seen: one write of two", Lost, false,
		then(nil, 0, in(1, write(a1)), in(1, write(b4)), with(Unknown, commit(1)), crash(), read(keyA, a1),
			read(Pattern{Key: 2})),
	},
	{"ended and used", Reopened, false, then(nil, 0, in(1, write(a1)), commit(1), in(1, write(a2)))},
	{"ended twice", Reopened, false, then(nil, 0, in(1, write(a1)), abort(1), commit(1))},
	{
		"IfExists gives up early", EarlyNone, true,
		then(nil, 0, write(a1), in(1, take(keyA, a1)), ifExists(wait(100, take(keyA))), abort(1)),
	},
	{"count of the uncommitted", WrongCount, false, then(nil, 0, in(1, write(a1)), count(keyA, 1), commit(1))},
	{"count of the taken", WrongCount, false, then(nil, 0, write(a1), in(1, take(keyA, a1)), count(keyA, 1), abort(1))},
	{
		// Each read what the other took, so each must precede the other. All calls overlap: only the cycle shows the fault.
		"write skew", NotSerializable, false, []Op{
			at(0, 1, write(a1, b4)), at(2, 6, in(1, read(keyA, a1))), at(2, 6, in(2, read(Pattern{Key: 2}, b4))),
			at(2, 6, in(1, take(Pattern{Key: 2}, b4))), at(2, 6, in(2, take(keyA, a1))), at(5, 9, commit(1)),
			at(5, 9, commit(2)),
		},
	},
	{
		// 3 saw what 1 wrote but not what 2 did, whose commit ended before that of 1 began.
		"an older state after a newer one", NotSerializable, false, []Op{
			at(0, 1, write(b4)), at(2, 20, in(3, read(Pattern{Key: 2}, b4))), at(3, 4, in(2, take(Pattern{Key: 2}, b4))),
			at(5, 6, commit(2)),
			at(7, 8, in(1, write(a1))), at(9, 10, commit(1)), at(11, 12, in(3, read(keyA, a1))), at(18, 21, commit(3)),
		},
	},
}
