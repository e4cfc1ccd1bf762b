// Package spacetest is the conformance suite for implementations of space.Space, with what tests of this module need beside it:
// servers, databases, and a judge of concurrent histories. It is imported from tests only.
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
// The function returns an empty space that nobody else uses; it is called once per case, from several goroutines. A rule of the
// space package's documentation that no case of Run tests does not exist.
//
// Implementations that survive a crash are also tested by RunRestart, which kills them under way.
//
// No case asserts that anything is quick: what must be returned at once is asked for with a wait of an hour, and
// a case that waits for it is ended by the time limit of the test. Cases that are about calls which wait need to know
// that they do. An implementation that can tell offers the method of Waiter; where it is missing
// those cases that prove nothing without it are skipped, and the others are right either way.
//
// Random concurrent runs (history.go) print their seed, and leave a failing history in the test's artifact directory.
package spacetest
