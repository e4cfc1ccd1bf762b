package wire_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/wire"
)

func TestEvent_ReadsWhatWasAppended(t *testing.T) {
	t.Parallel()
	for _, ev := range []call.Event{
		{Type: call.Written, Seq: 1, Entry: call.View{ID: 300, Kind: 7, Row: []byte("row"), Version: 1}},
		{Type: call.Available, Seq: 1 << 40, Entry: call.View{ID: 300, Kind: 7, Row: []byte{}, Version: 9, Attempts: 2}},
		{Type: call.Gap, Seq: 77, Cause: call.GapPurged},
	} {
		body := wire.AppendEvent(nil, &ev)
		d := wire.NewDecoder(body)
		require.Equal(t, ev, d.Event())
		require.NoError(t, d.Err())
		for n := range body {
			d := wire.NewDecoder(body[:n])
			d.Event()
			require.Error(t, d.Err(), "%d bytes of %v", n, ev)
		}
	}
}

func TestEventSet_ReadsWhatWasAppended(t *testing.T) {
	t.Parallel()
	set := call.Events(call.Written, call.Available)
	d := wire.NewDecoder(wire.AppendEventSet(nil, set))
	require.Equal(t, set, d.EventSet())
	require.NoError(t, d.Err())
	d = wire.NewDecoder([]byte{0xff, 0xff, 0xff, 0x7f})
	d.EventSet()
	require.ErrorIs(t, d.Err(), wire.ErrMalformed)
}
