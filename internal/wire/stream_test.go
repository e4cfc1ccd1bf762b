package wire

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The other side may have read, and acknowledged, what the writer does not know yet to have been written.
func TestStream_AckComesBeforeTheWriterReturns(t *testing.T) {
	t.Parallel()
	var s Stream
	s.Commit(append(s.Buffer(), "0123456789"...))
	require.Len(t, s.Unsent(), 10)
	s.Commit(append(s.Buffer(), "ab"...))
	require.True(t, s.Ack(4), "part of what is being written")
	require.False(t, s.Ack(11), "appended meanwhile, not given to the connection")
	require.True(t, s.Ack(10))
	s.Sent(10)
	require.Equal(t, "ab", string(s.Unsent()))
	require.False(t, s.Ack(13))
	s.Sent(2)
	require.True(t, s.Ack(12))
	require.Zero(t, s.Len())
}

// A write that fails tells less than what has arrived; the acknowledgement counts.
func TestStream_AckCountsMoreThanAFailedWrite(t *testing.T) {
	t.Parallel()
	var s Stream
	s.Commit(append(s.Buffer(), "0123456789"...))
	s.Unsent()
	require.True(t, s.Ack(6))
	s.Sent(3)
	require.True(t, s.Rewind(6))
	require.Equal(t, "6789", string(s.Unsent()))
}
