package partition_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/internal/record"
)

// ledger is a log in memory that the partitions of a synctest bubble share.
type ledger struct {
	mu     sync.Mutex
	groups []record.Group // guarded by mu; that at position n is groups[n-1]
	news   chan struct{}  // guarded by mu; closed and replaced when there is another group
}

// page is a partition's view of a ledger.
type page struct {
	*ledger
	last     uint64       // position that its next append follows
	appends  atomic.Int64 // that were tried
	claims   []time.Time  // of claims that were tried; of the bubble's only test
	claiming func()       // called before a claim
	leaving  func()       // called before the last look of Follow
	late     bool         // CatchUp finds nothing: Follow has to fetch everything

	hooks  sync.Mutex
	before func() // called before an append; guarded by hooks
	after  func() // called when it is stored; guarded by hooks
}

// add adds a group at the end, unless that is not after a position.
func (l *ledger) add(follows uint64, g record.Group) (record.Group, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if last := uint64(len(l.groups)); last != follows {
		return g, fmt.Errorf("ledger: %w", fence{refusal{errors.New("another has written")}})
	}
	g.Position, g.Records = follows+1, bytes.Clone(g.Records)
	l.groups = append(l.groups, g)
	close(l.news)
	l.news = make(chan struct{})
	return g, nil
}

// interrupt adds a group of another process.
func (l *ledger) interrupt(t *testing.T) {
	groups, _ := l.from(1)
	_, err := l.add(uint64(len(groups)), record.Group{})
	require.NoError(t, err)
}

// from returns the groups from a position on, and a channel that is closed when there are more.
func (l *ledger) from(position uint64) ([]record.Group, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.groups[position-1:], l.news
}

func (l *page) hook(before, after func()) {
	l.hooks.Lock()
	defer l.hooks.Unlock()
	l.before, l.after = before, after
}

// stop makes appends stand still until open is called, before they are stored or afterwards.
func (l *page) stop(stored bool) (open func()) {
	shut := make(chan struct{})
	if wait := func() { <-shut }; stored {
		l.hook(nil, wait)
	} else {
		l.hook(wait, nil)
	}
	return func() {
		l.hook(nil, nil)
		close(shut)
	}
}

func (l *page) Append(msg []byte) error {
	l.appends.Add(1)
	l.hooks.Lock()
	before, after := l.before, l.after
	l.hooks.Unlock()
	if before != nil {
		before()
	}
	g, err := l.add(l.last, record.Group{Clock: record.ClockOf(msg), Records: msg[record.HeaderSize:]})
	if err != nil {
		return err
	}
	l.last = g.Position
	if after != nil {
		after()
	}
	return nil
}

func (l *page) Last() uint64 { return l.last }

func (l *page) Read(_ context.Context, from, to uint64, fn func(record.Group) error) error {
	groups, _ := l.from(from)
	for _, g := range groups[:to+1-from] {
		if err := fn(g); err != nil {
			return err
		}
	}
	return nil
}

func (l *page) Load(context.Context, func([]byte) error, func(done, total uint64)) (uint64, record.Clock, error) {
	return 0, record.Clock{}, nil
}

func (l *page) CatchUp(
	ctx context.Context, after uint64, apply func(record.Group) error, _ func(done, total uint64),
) (uint64, error) {
	if l.late {
		return after, nil
	}
	groups, _ := l.from(after + 1)
	end := after + uint64(len(groups))
	return end, l.Read(ctx, after+1, end, apply)
}

func (l *page) Claim(_ context.Context, follows uint64, clock record.Clock) (record.Group, error) {
	if l.claiming != nil {
		l.claiming()
	}
	l.claims = append(l.claims, time.Now())
	g, err := l.add(follows, record.Group{Clock: clock})
	l.last = g.Position
	return g, err
}

func (l *page) Follow(ctx context.Context, after uint64, apply func(record.Group) error) error {
	for {
		last := ctx.Err() != nil
		if last && l.leaving != nil {
			l.leaving()
		}
		groups, news := l.from(after + 1)
		for _, g := range groups {
			if err := apply(g); err != nil {
				return err
			}
			after++
		}
		if last {
			return context.Cause(ctx)
		}
		select {
		case <-ctx.Done():
		case <-news:
		}
	}
}

func (*page) Distrust() error { return nil }

func (l *page) Resign(_ string, clock record.Clock) error {
	_, err := l.add(l.last, record.Group{Clock: clock, Resigned: true})
	l.last++
	return err
}

// pair is two partitions with a ledger, in a synctest bubble. The first is the primary.
type pair struct {
	parts [2]*partition.Partition
	pages [2]*page
}

func newPair(t *testing.T, lease, patience time.Duration) *pair {
	t.Helper()
	b := new(pair)
	l := &ledger{news: make(chan struct{})}
	for i := range b.parts {
		b.pages[i] = &page{ledger: l}
		b.parts[i] = partition.New(partition.Config{
			Log: b.pages[i], Standby: true, Lease: lease, Patience: patience,
		})
		require.NoError(t, b.parts[i].Start(t.Context(), nil))
		synctest.Wait()
		if i == 0 {
			require.NoError(t, b.parts[0].Lead(t.Context()))
			registerJob(b.parts[0])
		}
	}
	return b
}

// close stops both partitions, which the bubble has to wait for.
func (b *pair) close(t *testing.T) {
	t.Helper()
	for _, p := range b.parts {
		require.NoError(t, p.Close())
	}
}
