package spacetest

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/space/memory"
	"github.com/gospaces/gospaces/spacetest/history"
	"github.com/gospaces/gospaces/spacetest/random"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// TestBrokenSpaces runs random histories on spaces that break one promise now and then: the judge must notice.
func TestBrokenSpaces(t *testing.T) {
	t.Parallel()
	for _, b := range []struct {
		name   string
		spoil  func(space.Space) space.Space
		breaks history.Rule
	}{
		{
			"takes that leave the entry",
			func(sp space.Space) space.Space { return &leavingTakes{Space: sp} }, history.TakenTwice,
		},
		{"writes that are dropped", func(sp space.Space) space.Space { return &droppedWrites{Space: sp} }, history.Lost},
		{
			"takes that consume though cancelled",
			func(sp space.Space) space.Space { return &consumingCancels{Space: sp} }, history.Lost,
		},
		{"reads from a cache", func(sp space.Space) space.Space { return &staleReads{Space: sp} }, history.OutsideLife},
		{"takes of the newest", func(sp space.Space) space.Space { return &newestFirst{Space: sp} }, history.OutOfOrder},
		{
			"counts that are off by one",
			func(sp space.Space) space.Space { return &wrongCounts{Space: sp} }, history.WrongCount,
		},
		{"waits that are cut short", func(sp space.Space) space.Space { return &shortWaits{Space: sp} }, history.EarlyNone},
	} {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			sp := memory.New(memory.Config{})
			defer sp.Close()
			w := workload{clients: 4, calls: 200, keys: 2, colors: 2}
			broken := []space.Space{b.spoil(sp)}
			for runs := 0; !breaks(history.Check(w.run(t, broken)), b.breaks); runs++ { // not every run comes across it
				require.Less(t, runs, 200)
			}
		})
	}
}

// breaks reports whether err has a violation of rule.
func breaks(err error, rule history.Rule) bool {
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		return false
	}
	for _, e := range joined.Unwrap() {
		if v, ok := errors.AsType[*history.Violation](e); ok && v.Rule == rule {
			return true
		}
	}
	return false
}

// every10th reports true once in ten calls.
type every10th struct{ n atomic.Int64 }

func (e *every10th) due() bool { return e.n.Add(1)%10 == 0 }

type leavingTakes struct {
	space.Space
	every10th
}

func (s *leavingTakes) Take(ctx context.Context, q space.Query) ([]space.Entry, error) {
	if s.due() {
		return s.Read(ctx, q)
	}
	return s.Space.Take(ctx, q)
}

type droppedWrites struct {
	space.Space
	every10th
}

func (s *droppedWrites) Write(ctx context.Context, under txn.ID, entries []space.Draft) ([]space.Grant, error) {
	grants, err := s.Space.Write(ctx, under, entries)
	if err == nil && s.due() {
		_ = s.Cancel(context.Background(), grants[0].ID)
	}
	return grants, err
}

type consumingCancels struct{ space.Space }

func (s *consumingCancels) Take(ctx context.Context, q space.Query) ([]space.Entry, error) {
	found, err := s.Space.Take(ctx, q)
	if errors.Is(err, context.DeadlineExceeded) {
		q.NoWait = false
		q.Wait = 20 * time.Millisecond
		_, _ = s.Space.Take(context.WithoutCancel(ctx), q)
	}
	return found, err
}

type staleReads struct {
	space.Space
	every10th

	mu   sync.Mutex
	last map[string][]space.Entry // by kind and conditions; guarded by mu
}

func (s *staleReads) Read(ctx context.Context, q space.Query) ([]space.Entry, error) {
	key := ""
	for _, c := range q.Templates[0].Conds {
		key += string(rune(c.Field)) + string(c.Value) + "|"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if found := s.last[key]; s.due() && len(found) > 0 && q.Max == len(found) {
		return found, nil
	}
	found, err := s.Space.Read(ctx, q)
	if err == nil {
		if s.last == nil {
			s.last = map[string][]space.Entry{}
		}
		s.last[key] = found
	}
	return found, err
}

type newestFirst struct {
	space.Space
	every10th
}

func (s *newestFirst) Take(ctx context.Context, q space.Query) ([]space.Entry, error) {
	if s.due() {
		codec, err := s.Codecs().For(ctx, s, reflect.TypeFor[random.Item]())
		if err != nil {
			return nil, err
		}
		q.Order = []template.Order{{Field: codec.Schema().Index("n"), Desc: true}}
	}
	return s.Space.Take(ctx, q)
}

type wrongCounts struct{ space.Space }

func (s *wrongCounts) Count(ctx context.Context, q space.Query) (int, error) {
	n, err := s.Space.Count(ctx, q)
	return n + 1, err
}

type shortWaits struct{ space.Space }

func (s *shortWaits) Take(ctx context.Context, q space.Query) ([]space.Entry, error) {
	q.Wait /= 4
	return s.Space.Take(ctx, q)
}
