package wire_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/engine"
	"github.com/gospaces/gospaces/internal/wire"
)

func TestEvent_ReadsWhatWasAppended(t *testing.T) {
	t.Parallel()
	for _, ev := range []engine.Event{
		{Type: engine.Written, Seq: 1, Entry: engine.View{ID: 300, Kind: 7, Row: []byte("row"), Version: 1}},
		{Type: engine.Available, Seq: 1 << 40, Entry: engine.View{ID: 300, Kind: 7, Row: []byte{}, Version: 9, Attempts: 2}},
		{Type: engine.Gap, Seq: 77},
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
	set := engine.Events(engine.Written, engine.Available)
	d := wire.NewDecoder(wire.AppendEventSet(nil, set))
	require.Equal(t, set, d.EventSet())
	require.NoError(t, d.Err())
	d = wire.NewDecoder([]byte{0xff, 0xff, 0xff, 0x7f})
	d.EventSet()
	require.ErrorIs(t, d.Err(), wire.ErrMalformed)
}
