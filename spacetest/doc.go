// Package spacetest is the conformance suite for implementations of space.Space, with what tests of this module need
// beside it: servers, databases, and a judge of concurrent histories. It is imported from tests only.
//
// An implementation is tested by
//
//	func TestConformance(t *testing.T) {
//		spacetest.Run(t, func(tb testing.TB) space.Space {
//			sp := mine.New()
//			tb.Cleanup(func() { sp.Close() })
//			return sp
//		})
//	}
//
// The function returns an empty space without other users; it is called once per case, from several goroutines. What a
// space promises is in docs/semantics.md, whose rules the numbers in comments are; a promise that no case tests does
// not exist. RunClients adds the cases about several clients of one space, and RunRestart those about what survives the
// end of a server.
//
// No case asserts that anything is quick: what must be returned at once is asked for with a wait of an hour, and a case
// that waits for it is ended by the time limit of the test. Some cases need to know that a call waits before they go
// on. An implementation that can tell offers the method of Waiter; where it is missing the cases that prove nothing
// without it are skipped, and the others are right either way.
//
// Random concurrent runs print their seed, and keep a failing history in the test's artifact directory. Package random
// makes their calls, and package history judges them. TestSoak repeats them for a given time (make soak). Package crash
// makes servers, databases, networks and clients fail, and judges their state (make crash, make crash-cluster).
//
// Server starts a server, in this process or in a separate one that can be killed, and Postgres creates an empty
// database. Packages that use them call Main from TestMain.
package spacetest
