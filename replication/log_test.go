package replication

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/record"
)

func TestAppend_IsReplayedInOrderAfterReopening(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, Config{Dir: dir, Logger: testLogger(t)})
	l := primary(t, s)
	appendAll(t, l, 1, 100)
	require.EqualValues(t, 101, l.Last())
	incarnation := l.Incarnation()
	require.NoError(t, s.Close())

	l = idle(t, open(t, Config{Dir: dir}))
	require.Equal(t, incarnation, l.Incarnation())
	require.EqualValues(t, 101, l.Last())
	require.Equal(t, upTo(100), replayed(t, l))
	require.EqualValues(t, 102, l.Last())
	appendAll(t, l, 101, 110)
	require.Equal(t, upTo(110), replayed(t, l))
}

func TestAppend_MessagesOfAnySizeComeBackWhole(t *testing.T) {
	t.Parallel()
	l := primary(t, open(t, Config{}))
	var n uint64
	for _, size := range []int{0, 1, oneWrite - 200, oneWrite, oneWrite + 1, 64 << 10, 1 << 20, 9 << 20, MaxMessage - 64} {
		n++
		require.NoError(t, l.Append(commit(n, size)), "size %d", size)
	}
	require.Equal(t, upTo(n), replayed(t, l))
	require.Equal(t, upTo(n), tailed(t, l, 0, int(n)))
}

func TestAppend_RefusesSizesOutOfBounds(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, record.HeaderSize - 1, MaxMessage + 1} {
		l := primary(t, open(t, Config{}))
		require.ErrorIs(t, l.Append(make([]byte, size)), ErrTooLarge)
		require.Empty(t, replayed(t, l))
	}
}

func TestAppend_BeforeTheClaimIsRefused(t *testing.T) {
	t.Parallel()
	l := idle(t, open(t, Config{}))
	require.ErrorIs(t, l.Append(commit(1, 1)), ErrNotPrimary)
	require.ErrorIs(t, l.Stats().Failed, ErrNotPrimary)
	require.Empty(t, replayed(t, l))
	require.NoError(t, l.Stats().Failed)
}

func TestAppend_ConcurrentCallersTakeTurns(t *testing.T) {
	t.Parallel()
	l := primary(t, open(t, Config{}))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 25 {
				if err := l.Append(commit(uint64(i*25+j+1), 10)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	require.ElementsMatch(t, upTo(200), replayed(t, l))
}

func TestAppend_ToSynchronousStore(t *testing.T) {
	t.Parallel()
	l := primary(t, open(t, Config{Sync: true}))
	appendAll(t, l, 1, 3)
	require.Equal(t, upTo(3), replayed(t, l))
}

func TestAppend_OutcomeOfBrokenConnectionIsFoundOut(t *testing.T) {
	t.Parallel()
	l := primary(t, open(t, Config{}))
	appendAll(t, l, 1, 1)
	l.pub.close() // before the message is sent
	appendAll(t, l, 2, 2)

	// After the message was stored, but before the answer arrived.
	msg := commit(3, 100)
	record.AppendHeader(msg[:0], record.Header{Type: record.Commit, Epoch: l.epoch})
	intrude(t, l, msg)
	l.pub.close()
	appendAll(t, l, 3, 4)

	// Something else was stored there.
	record.AppendHeader(msg[:0], record.Header{Type: record.Commit, Epoch: l.epoch})
	intrude(t, l, msg)
	l.pub.close()
	require.ErrorIs(t, l.Append(commit(5, 100)), ErrFenced)
}

func TestStats_AgreeWithTheServer(t *testing.T) {
	t.Parallel()
	l := primary(t, open(t, Config{MaxBytes: 1 << 20}))
	appendAll(t, l, 1, 120) // the header grows by a digit on the way
	st, err := l.serverState(t.Context())
	require.NoError(t, err)
	require.Equal(t, Stats{
		First: st.FirstSeq, Last: st.LastSeq, Messages: st.Msgs, Bytes: int64(st.Bytes), Appended: int64(st.Bytes),
		MaxBytes: 1 << 20, Epoch: 1,
	}, l.Stats())
	require.EqualValues(t, 121, st.LastSeq)
}
