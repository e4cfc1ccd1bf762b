package client_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/internal/server"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/template"
)

func mustTemplates() []*template.Template { return []*template.Template{{}} }

// A listener that collects its events late gets every one of them, through a window far smaller than they are together.
func TestNotify_LateListenerGetsAll(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	c := n.dial(client.Config{EventWindow: 4 << 10})
	reg, err := c.Notify(t.Context(), space.Query{Templates: mustTemplates()}, 0, space.Forever)
	require.NoError(t, err)
	const events = 2000
	for i := range int64(events) {
		_, err := space.Write(t.Context(), c, job{ID: i, Payload: make([]byte, 50)})
		require.NoError(t, err)
	}
	for i := range uint64(events) {
		ev, err := reg.Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, space.Written, ev.Type)
		require.Equal(t, reg.Start()+1+i, ev.Seq)
	}
	require.NoError(t, reg.Close())
	_, err = reg.Next(t.Context())
	require.ErrorIs(t, err, space.ErrClosed)
	require.NoError(t, reg.Close())
}

// Beyond what the space keeps there is a gap, which is reported, and then the events go on.
func TestNotify_GapIsReported(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	n.spaces.cfg = partition.Config{EventBacklog: 100}
	n.spaces.forget()
	c := n.dial(client.Config{EventWindow: 2 << 10})
	reg, err := c.Notify(t.Context(), space.Query{Templates: mustTemplates()}, 0, space.Forever)
	require.NoError(t, err)
	const events = 2000
	for i := range int64(events) {
		_, err := space.Write(t.Context(), c, job{ID: i, Payload: make([]byte, 50)})
		require.NoError(t, err)
	}
	next, missed := reg.Start()+1, uint64(0)
	for next <= reg.Start()+events {
		ev, err := reg.Next(t.Context())
		require.NoError(t, err)
		if ev.Type == space.Gap {
			missed += ev.Missed
			require.Equal(t, space.GapOverflow, ev.Cause)
			require.Equal(t, next+ev.Missed-1, ev.Seq)
		} else {
			require.Equal(t, next, ev.Seq)
		}
		next = ev.Seq + 1
	}
	require.Positive(t, missed)
}

// Events survive connections that fail all the time: each once, in order, none missing.
func TestNotify_SurvivesLostConnections(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	var f faults
	f.calm.Store(true)
	listener := n.dial(client.Config{Dial: f.dial, EventWindow: 8 << 10})
	writer := n.dial(client.Config{})
	reg, err := listener.Notify(t.Context(), space.Query{Templates: mustTemplates()}, 0, space.Forever)
	require.NoError(t, err)
	f.calm.Store(false)
	n.dropConnections()
	const events = 3000
	wrote := make(chan error, 1)
	go func() {
		for i := range int64(events) {
			if _, err := space.Write(context.Background(), writer, job{ID: i, Payload: make([]byte, 50)}); err != nil {
				wrote <- err
				return
			}
		}
		wrote <- nil
	}()
	for i := range uint64(events) {
		ev, err := reg.Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, space.Written, ev.Type, fmt.Sprint(ev.Missed))
		require.Equal(t, reg.Start()+1+i, ev.Seq)
	}
	require.NoError(t, <-wrote)
	require.Positive(t, f.faults.Load())
	f.calm.Store(true)
}

func TestNotify_EndsWithItsLease(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	c, other := n.dial(client.Config{}), n.dial(client.Config{})
	reg, err := c.Notify(t.Context(), space.Query{Templates: mustTemplates()}, 0, space.Forever)
	require.NoError(t, err)
	_, err = space.Write(t.Context(), other, job{ID: 1})
	require.NoError(t, err)
	require.NoError(t, other.Cancel(t.Context(), reg.Lease().ID()))
	_, err = reg.Next(t.Context())
	require.NoError(t, err)
	for range 2 {
		_, err = reg.Next(t.Context())
		require.ErrorIs(t, err, space.ErrLeaseEnded)
	}
}

// A registration that another program attaches to ends here, with an error of its own; closing it leaves it to the
// other.
func TestNotify_ThatAnotherAttachesToIsDisplaced(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	c := n.dial(client.Config{})
	reg, err := c.Notify(t.Context(), space.Query{Templates: mustTemplates()}, 0, time.Hour)
	require.NoError(t, err)

	other, err := net.Dial("tcp", n.addr)
	require.NoError(t, err)
	defer other.Close()
	b := wire.AppendHello(nil, &wire.Greeting{MinVersion: wire.Version, MaxVersion: wire.Version})
	b = wire.AppendFrame(b, wire.Open, 1, append(wire.AppendBytes([]byte{0}, "default"), 0, 0, 0))
	attach := binary.AppendUvarint([]byte{0}, uint64(reg.Lease().ID()))
	_, err = other.Write(wire.AppendFrame(b, wire.Attach, 2, append(attach, 0, 0)))
	require.NoError(t, err)

	_, err = reg.Next(t.Context())
	require.ErrorIs(t, err, space.ErrDisplaced)
	n.dropConnections()
	require.NoError(t, reg.Close())
	found, err := c.Registrations(t.Context())
	require.NoError(t, err)
	require.Len(t, found, 1, "it is the other's")
}
