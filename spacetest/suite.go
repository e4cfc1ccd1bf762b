package spacetest

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/template"
)

// Run runs the conformance suite. open returns an empty space without other users, and registers its closing
// when tb ends. It is called once per case, from many goroutines, and must not fail when another space is open.
func Run(t *testing.T, open func(tb testing.TB) space.Space) { RunTopics(t, open) }

// RunTopics is Run with some topics only; with all if none is named.
func RunTopics(t *testing.T, open func(tb testing.TB) space.Space, named ...string) {
	for _, topic := range topics() {
		if len(named) > 0 && !slices.Contains(named, topic.name) {
			continue
		}
		t.Run(topic.name, func(t *testing.T) {
			t.Parallel()
			topic.cases.run(t, open)
		})
	}
}

// TopicsBut returns the names of all topics but some.
func TopicsBut(some ...string) (names []string) {
	for _, topic := range topics() {
		if !slices.Contains(some, topic.name) {
			names = append(names, topic.name)
		}
	}
	return names
}

// topics lists what the suite is made of, a file each.
func topics() []topic {
	return []topic{
		{"write", writeCases()},
		{"read", readCases()},
		{"take", takeCases()},
		{"match", matchCases()},
		{"criterion", criterionCases()},
		{"type", typeCases()},
		{"schema", schemaCases()},
		{"unknown", unknownCases()},
		{"strict", strictCases()},
		{"order", orderCases()},
		{"wait", waitCases()},
		{"lease", leaseCases()},
		{"bulk", bulkCases()},
		{"limit", limitCases()},
		{"contents", contentsCases()},
		{"hidden", hiddenCases()},
		{"notify", notifyCases()},
		{"event", eventCases()},
		{"prepared", preparedCases()},
		{"error", errorCases()},
		{"close", closeCases()},
		{"work", workCases()},
		{"txn", txnCases()},
		{"txnuse", txnUseCases()},
		{"lock", lockCases()},
		{"place", placeCases()},
		{"ifexists", ifExistsCases()},
		{"lockwait", lockWaitCases()},
		{"deadlock", deadlockCases()},
		{"txnlease", txnLeaseCases()},
		{"txnspaces", txnSpacesCases()},
		{"stage", stageCases()},
		{"rollback", rollbackCases()},
		{"hold", holdCases()},
		{"delay", delayCases()},
		{"replace", replaceCases()},
		{"update", updateCases()},
		{"byid", byIDCases()},
		{"entryof", entryOfCases()},
		{"query", queryCases()},
		{"outcome", outcomeCases()},
		{"longest", longestCases()},
		{"history", historyCases()},
	}
}

type topic struct {
	name  string
	cases cases
}

// cases are the cases of one topic. Names say what a space does. Comments beside them give the section of the
// semantics, or the number of the case in the suites of older tuple spaces (W writes, R reads, T takes, M matching, L
// leases, S prepared, B bulk).
type cases []struct {
	name string
	run  func(k *kit)
}

func (cs cases) run(t *testing.T, open func(tb testing.TB) space.Space) {
	for _, c := range cs {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(&kit{T: t, ctx: t.Context(), sp: open(t), open: open})
		})
	}
}

// kit is what a case works with: its test and an empty space.
type kit struct {
	*testing.T
	ctx     context.Context // ends with the test
	sp      space.Space
	open    func(tb testing.TB) space.Space // another space; for Run
	restart func()                          // ends the server and starts it again; for RunRestart
	crashes bool                            // restart does so indeed, and does not just cut connections
}

// ok fails the case if err is not nil.
func (k *kit) ok(err error) {
	k.Helper()
	require.NoError(k, err)
}

// fails fails the case unless err is want.
func (k *kit) fails(want, err error) {
	k.Helper()
	require.ErrorIs(k, err, want)
}

// match returns a query that does not wait; without templates it is for every entry.
func (k *kit) match(templates ...any) space.Query {
	k.Helper()
	if len(templates) == 0 {
		return space.Query{Templates: []*template.Template{{}}, NoWait: true}
	}
	q, err := space.Match(k.ctx, k.sp, templates...)
	k.ok(err)
	q.NoWait = true
	return q
}

// total counts all entries of the space.
func (k *kit) total() int {
	k.Helper()
	n, err := k.sp.Count(k.ctx, k.match())
	k.ok(err)
	return n
}

func write[T any](k *kit, v T, opts ...space.WriteOption) *space.Lease {
	k.Helper()
	l, err := space.Write(k.ctx, k.sp, v, opts...)
	k.ok(err)
	return l
}

func writeAll[T any](k *kit, vs ...T) []*space.Lease {
	k.Helper()
	ls, err := space.WriteAll(k.ctx, k.sp, vs)
	k.ok(err)
	return ls
}

// read returns a match that is there now.
func read[T any](k *kit, template T, opts ...space.TakeOption) T {
	k.Helper()
	v, err := space.Read(k.ctx, k.sp, template, append(as[space.ReadOption](opts), space.NoWait())...)
	k.ok(err)
	return v
}

// take takes a match that is there now.
func take[T any](k *kit, template T, opts ...space.TakeOption) T {
	k.Helper()
	v, err := space.Take(k.ctx, k.sp, template, append(opts, space.NoWait())...)
	k.ok(err)
	return v
}

func count[T any](k *kit, template T, opts ...space.CountOption) int {
	k.Helper()
	n, err := space.Count(k.ctx, k.sp, template, opts...)
	k.ok(err)
	return n
}

// absentOption is an option that fits every call of absent.
type absentOption interface {
	space.TakeOption
	space.CountOption
}

// absent fails the case if anything matches now, whichever call asks.
func absent[T any](k *kit, template T, opts ...absentOption) {
	k.Helper()
	require.Zero(k, count(k, template, as[space.CountOption](opts)...))
	for _, v := range verbs {
		_, err := find[T](v)(k.ctx, k.sp, template, append(as[space.TakeOption](opts), space.NoWait())...)
		k.fails(space.ErrNoMatch, err)
	}
}

// drain takes all that match, one by one, and returns them in the order in which they came.
func drain[T any](k *kit, template T, opts ...space.TakeOption) []T {
	k.Helper()
	var all []T
	for {
		v, err := space.Take(k.ctx, k.sp, template, append(opts, space.NoWait())...)
		if err != nil {
			k.fails(space.ErrNoMatch, err)
			return all
		}
		all = append(all, v)
	}
}

// verb names one of the four calls that look for one entry.
type verb struct {
	name           string
	take, ifExists bool
}

var verbs = []verb{
	{"Read", false, false},
	{"ReadIfExists", false, true},
	{"Take", true, false},
	{"TakeIfExists", true, true},
}

// find returns the typed function that v names.
func find[T any](v verb) func(context.Context, space.Space, T, ...space.TakeOption) (T, error) {
	switch {
	case v.take && v.ifExists:
		return space.TakeIfExists[T]
	case v.take:
		return space.Take[T]
	case v.ifExists:
		return reading(space.ReadIfExists[T])
	}
	return reading(space.Read[T])
}

// reading returns a function that reads as one with the options of a take.
func reading[T, R any](
	read func(context.Context, space.Space, T, ...space.ReadOption) (R, error),
) func(context.Context, space.Space, T, ...space.TakeOption) (R, error) {
	return func(ctx context.Context, sp space.Space, template T, opts ...space.TakeOption) (R, error) {
		return read(ctx, sp, template, as[space.ReadOption](opts)...)
	}
}

// as returns opts, which all fit the calls that take options of type To, for these.
func as[To, From any](opts []From) []To {
	to := make([]To, len(opts))
	for i, o := range opts {
		to[i] = any(o).(To)
	}
	return to
}

// find makes the call of the interface that v names.
func (k *kit) find(v verb, q space.Query) ([]space.Entry, error) {
	q.IfExists = v.ifExists
	if v.take {
		return k.sp.Take(k.ctx, q)
	}
	return k.sp.Read(k.ctx, q)
}

// pending is a call in a goroutine.
type pending[T any] struct {
	cancel context.CancelFunc
	done   chan struct{} // closed when the call has returned
	value  T             // set before done is closed
	err    error         // likewise
}

// start makes a call in a goroutine, which ends before the test does.
func start[T any](k *kit, call func(context.Context) (T, error)) *pending[T] {
	ctx, cancel := context.WithCancel(k.ctx)
	p := &pending[T]{cancel: cancel, done: make(chan struct{})}
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(p.done)
		p.value, p.err = call(ctx)
	})
	k.Cleanup(func() { cancel(); wg.Wait() })
	return p
}

// startFind starts a typed call that waits for a match without end, unless opts say less.
func startFind[T any](k *kit, v verb, template T, opts ...space.TakeOption) *pending[T] {
	return start(k, func(ctx context.Context) (T, error) { return find[T](v)(ctx, k.sp, template, opts...) })
}

// wait returns what the call returned, once it has.
func (p *pending[T]) wait() (T, error) {
	<-p.done
	return p.value, p.err
}

// running says that the call has not returned yet.
func (p *pending[T]) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// result is wait for a call that must succeed.
func (p *pending[T]) result(k *kit) T {
	k.Helper()
	v, err := p.wait()
	k.ok(err)
	return v
}
