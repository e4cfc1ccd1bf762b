package partition_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/internal/record"
)

// TestBeginImages_AtEveryStepOfACommit begins images of three partitions before and after each append of a transaction
// over them. Partitions that start from the images agree: all have the effects of the transaction, or none.
func TestBeginImages_AtEveryStepOfACommit(t *testing.T) {
	t.Parallel()
	outcomes := map[bool]int{}
	for at := 0; ; at++ {
		var made map[string][]byte
		synctest.Test(t, func(t *testing.T) { made = imagesAt(t, at) })
		if made == nil {
			require.GreaterOrEqual(t, at, 12,
				"two prepares, a decision, two commits, and that it may be forgotten; before and after each")
			break
		}
		outcomes[fromImages(t, at, made)]++
	}
	require.Positive(t, outcomes[false])
	require.Positive(t, outcomes[true])
}

// imagesAt returns images that were begun at a step of a transaction, or nil if there are fewer steps.
func imagesAt(t *testing.T, at int) map[string][]byte {
	t.Helper()
	f := newFleet(t, func() *tape { return new(tape) })
	defer f.close()
	id := f.atWork()
	var images []*partition.Imaging
	for _, name := range f.names() {
		m, err := f.parts[name].ReserveImage(t.Context())
		require.NoError(t, err)
		defer m.Close()
		images = append(images, m)
	}
	var mu sync.Mutex
	begun, step := false, 0
	around := func(bool) {
		mu.Lock()
		defer mu.Unlock()
		if step == at {
			begun = true
			if err := partition.BeginImages(images); err != nil {
				t.Error(err)
			}
		}
		step++
	}
	for _, l := range f.tapes {
		l.mu.Lock()
		l.around = around
		l.mu.Unlock()
	}
	require.NoError(t, f.commit(id))
	synctest.Wait() // until the decision is carried out and forgotten, also in the logs
	for _, p := range f.parts {
		require.Empty(t, p.Participant().Branches())
		require.Empty(t, p.Participant().Decisions())
	}
	mu.Lock()
	defer mu.Unlock()
	if !begun {
		return nil
	}
	made := map[string][]byte{}
	for i, name := range f.names() {
		sheet := new(sheet)
		_, err := images[i].Take(t.Context(), func(uint64, record.Clock) (partition.Image, error) { return sheet, nil })
		require.NoError(t, err)
		made[name] = sheet.records
	}
	return made
}

// sheet is an image in memory.
type sheet struct{ records []byte }

func (s *sheet) Write(records []byte) error {
	s.records = append(s.records, records...)
	return nil
}
func (*sheet) Commit() error { return nil }
func (*sheet) Abort() error  { return nil }

// fromImages starts partitions from images, checks that they agree, and reports whether the transaction was committed.
func fromImages(t *testing.T, at int, images map[string][]byte) (done bool) {
	t.Helper()
	names := []string{"a", "b", "c"}
	f := newFleet(t, func() *tape {
		l := &tape{image: images[names[0]]}
		names = names[1:]
		return l
	})
	defer f.close()
	f.spans.Start(context.Background())
	done = f.has("a", 2)
	for _, name := range f.names() {
		require.Equal(t, done, f.has(name, 2), "%s, step %d", name, at)
		require.Equal(t, !done, f.has(name, 1), "%s, step %d", name, at)
		require.Empty(t, f.parts[name].Participant().Branches())
		require.Empty(t, f.parts[name].Participant().Decisions())
	}
	return done
}

// Images of several partitions cannot be begun while one of them does not serve; then none is begun.
func TestBeginImages_NeedsAllToServe(t *testing.T) {
	t.Parallel()
	f := newFleet(t, func() *tape { return new(tape) })
	defer f.close()
	require.NoError(t, f.parts["b"].Close())
	var images []*partition.Imaging
	for _, name := range slices.Backward(f.names()) {
		m, err := f.parts[name].ReserveImage(t.Context())
		require.NoError(t, err)
		images = append(images, m)
	}
	err := partition.BeginImages(images)
	require.ErrorIs(t, err, call.ErrClosed)
	require.ErrorContains(t, err, `space "b"`)
	for _, m := range images {
		m.Close()
		m.Close()
	}
	m, err := f.parts["a"].ReserveImage(t.Context())
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = f.parts["a"].ReserveImage(ctx)
	require.ErrorIs(t, err, context.Canceled, "there is one")
	m.Close()
}
