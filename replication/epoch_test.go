package replication

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/record"
)

// ofEpoch returns a commit with an epoch.
func ofEpoch(epoch, n uint64) []byte {
	msg := commit(n, 10)
	record.AppendHeader(msg[:0], record.Header{Type: record.Commit, Epoch: epoch})
	return msg
}

func TestClaim_FencesTheOldPrimary(t *testing.T) {
	t.Parallel()
	old := primary(t, open(t, Config{}))
	appendAll(t, old, 1, 3)
	young := rival(t, old)
	require.Equal(t, upTo(3), replayed(t, young))

	err := old.Append(commit(99, 10))
	require.ErrorIs(t, err, ErrFenced)
	require.ErrorIs(t, old.Stats().Failed, ErrFenced)
	appendAll(t, young, 4, 5)
	require.Equal(t, err, old.Append(commit(99, 10)), "the error stays")

	_, claim := old.Claim(t.Context(), 5, record.Clock{})
	require.ErrorIs(t, claim, ErrFenced, "who does not know all of the log cannot claim it")
	require.Equal(t, upTo(5), replayed(t, old), "who has read it can")
	appendAll(t, old, 6, 6)
	require.ErrorIs(t, young.Append(commit(99, 10)), ErrFenced)
}

func TestStaleEpoch_IsSkippedByEveryReader(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	l := primary(t, s)    // position 1 is the claim of epoch 1
	appendAll(t, l, 1, 2) // 2, 3
	_ = replayed(t, l)    // 4 is the claim of epoch 4
	appendAll(t, l, 3, 3) // 5
	for n := range 3 {    // 6, 7, 8
		intrude(t, l, ofEpoch(1, 90+uint64(n)))
	}
	require.ErrorIs(t, l.Append(commit(99, 10)), ErrFenced)
	require.Equal(t, upTo(3), replayed(t, l)) // 9 is the claim of epoch 9
	appendAll(t, l, 4, 4)                     // 10
	require.Equal(t, upTo(4), tailed(t, l, 0, 4))

	// A reader that starts in the middle must know the current epoch, whether or not this process has read the messages
	// before.
	from := map[uint64][]uint64{0: {1, 2, 3, 4}, 2: {2, 3, 4}, 3: {3, 4}, 4: {3, 4}, 5: {4}, 6: {4}, 8: {4}, 9: {4}}
	for after, want := range from {
		require.Equal(t, want, tailed(t, l, after, len(want)), "after %d", after)
	}
	require.NoError(t, s.Close())
	for after, want := range from {
		s := open(t, Config{Dir: dir})
		l := idle(t, s)
		require.Equal(t, want, tailed(t, l, after, len(want)), "after %d, first read of the process", after)
		require.NoError(t, s.Close())
	}
}

func TestClaim_CommitsBeforeItCount(t *testing.T) {
	t.Parallel()
	old := primary(t, open(t, Config{}))
	appendAll(t, old, 1, 2)
	young := rival(t, old)
	var got []uint64
	collect := into(&got)
	err := replay(t.Context(), young, 0, func(g record.Group) error {
		if g.Position == 1 { // the old primary is still writing when the new one has begun to read
			appendAll(t, old, 3, 4)
		}
		return collect(g)
	}, nil)
	require.ErrorIs(t, err, ErrFenced, "the claim follows position 3")
	require.Equal(t, upTo(2), got)
	appendAll(t, old, 5, 5) // which is still the primary
	require.Equal(t, upTo(5), replayed(t, young))
	appendAll(t, young, 6, 6)
	require.Equal(t, upTo(6), replayed(t, young))
}

func TestDamage_IsReportedWithItsPosition(t *testing.T) {
	t.Parallel()
	for name, msg := range map[string][]byte{
		"garbage":         []byte("this is no log message"),
		"empty":           nil,
		"unknown version": {7, byte(record.Commit), 1, 0, 0, 0, 0, 0, 0, 0},
		"unknown type":    {1, 99, 1, 0, 0, 0, 0, 0, 0, 0},
		"no epoch":        ofEpoch(0, 9),
		"epoch to come":   ofEpoch(5, 9),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := primary(t, open(t, Config{}))
			appendAll(t, l, 1, 2)
			intrude(t, l, msg)
			var got []uint64
			err := replay(t.Context(), l, 0, into(&got), nil)
			require.ErrorIs(t, err, ErrDamaged)
			require.ErrorContains(t, err, "position 4")
			require.Equal(t, upTo(2), got)
			require.ErrorIs(t, l.Append(commit(3, 10)), ErrFenced)
			st, err := l.serverState(t.Context())
			require.NoError(t, err)
			require.EqualValues(t, 4, st.LastSeq, "nothing was claimed")

			got = nil
			err = l.Follow(t.Context(), 0, into(&got))
			require.ErrorIs(t, err, ErrDamaged)
			require.ErrorContains(t, err, "position 4")
			require.Equal(t, upTo(2), got)
		})
	}
}

func TestCatchUp_ErrorOfApplyEndsIt(t *testing.T) {
	t.Parallel()
	l := primary(t, open(t, Config{}))
	appendAll(t, l, 1, 2)
	refuse := errors.New("refused")
	err := replay(t.Context(), l, 0, func(record.Group) error { return refuse }, nil)
	require.ErrorIs(t, err, refuse)
	require.ErrorContains(t, err, "position 1", "the claim, which has no records, is handed over, too")
	require.Equal(t, upTo(2), replayed(t, l))
}

func TestCatchUp_ReportsProgress(t *testing.T) {
	t.Parallel()
	l := primary(t, open(t, Config{}))
	appendAll(t, l, 1, 4)
	var done, total []uint64
	require.NoError(t, replay(t.Context(), l, 0, ignore, func(d, n uint64) {
		done, total = append(done, d), append(total, n)
	}))
	require.Equal(t, upTo(5), done) // a claim and the commits
	require.Equal(t, []uint64{5, 5, 5, 5, 5}, total)
}

func TestClaims_KnowTheEpochOfEachPosition(t *testing.T) {
	t.Parallel()
	var c claims
	for pos, claim := range []bool{1: true, 2: false, 3: true, 4: true, 5: false} {
		if pos > 0 {
			c.note(uint64(pos), claim)
		}
	}
	c.note(7, true) // leaves a gap
	c.note(2, true) // known already
	for pos, want := range []uint64{0, 1, 1, 3, 4, 4} {
		got, known := c.epoch(uint64(pos))
		require.True(t, known)
		require.Equal(t, want, got, "position %d", pos)
	}
	_, known := c.epoch(6)
	require.False(t, known)
}
