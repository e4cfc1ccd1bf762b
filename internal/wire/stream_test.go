package wire_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/wire"
)

// script plays a sender with failing connections, driven by fuzzed bytes, against a receiver that must get every byte
// once.
func script(t *testing.T, steps []byte) {
	var s wire.Stream
	var all, got []byte
	next := byte(0)
	for i, step := range steps {
		n := int(step >> 2)
		switch step & 3 {
		case 0: // append
			b := s.Buffer()
			for range n * n {
				b = append(b, next)
				all = append(all, next)
				next++
			}
			s.Commit(b)
		case 1: // a partial write, while more is appended
			u := s.Unsent()
			b := append(s.Buffer(), next)
			all = append(all, next)
			next++
			s.Commit(b)
			u = u[:len(u)*n/63]
			got = append(got, u...)
			s.Sent(len(u))
		case 2: // the receiver acknowledges some of what it has
			require.True(t, s.Ack(uint64(len(got)*n/63)))
		case 3: // the connection fails, and undelivered bytes are lost
			lost := min(n, len(got))
			if s.Rewind(uint64(len(got) - lost)) {
				got = got[:len(got)-lost]
			} else {
				require.NotZero(t, lost, "step %d", i)
				require.True(t, s.Rewind(uint64(len(got))))
			}
		}
		require.Equal(t, len(all), int(s.End()))
		require.Equal(t, len(got), int(s.Pos()))
		require.Equal(t, len(all)-len(got), s.Len())
	}
	got = append(got, s.Unsent()...)
	require.Equal(t, all, got)
	require.False(t, s.Ack(s.End()+1))
}

func TestStream_LosesAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	script(t, []byte{0x40, 0xfd, 0x80, 0x81, 0x13, 0x82, 0xff, 0xfd, 0xfe, 0xfc, 0x33, 0xfd, 0xfe, 0x07})
}

func FuzzStream(f *testing.F) {
	f.Add([]byte{0x40, 0xfd, 0x80, 0x81, 0x13, 0x82, 0xff, 0xfd, 0xfe, 0xfc, 0x33, 0xfd, 0xfe, 0x07})
	f.Fuzz(func(t *testing.T, steps []byte) { script(t, steps[:min(len(steps), 200)]) })
}

// A stream does not keep everything for a peer that never acknowledges.
func TestStream_ForgetsWhatIsNeverAcknowledged(t *testing.T) {
	t.Parallel()
	var s wire.Stream
	chunk := make([]byte, 1<<20)
	for range 100 {
		s.Commit(append(s.Buffer(), chunk...))
		s.Sent(len(s.Unsent()))
		require.LessOrEqual(t, cap(s.Buffer()), 16<<20)
	}
	require.False(t, s.Rewind(0))
	require.True(t, s.Rewind(s.Pos()))
}
