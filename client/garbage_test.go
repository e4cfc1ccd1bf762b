package client_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// liar is a server that does the handshake, opens spaces, knows one kind, and answers everything else with the same
// bytes.
type liar struct {
	body  []byte
	mute  bool // it answers nothing after that
	calls int
	over  func()        // called when there have been too many calls
	last  chan net.Conn // the connection
}

func (s *liar) dial(ctx context.Context, _ string) (net.Conn, error) {
	if ctx.Err() != nil || len(s.last) > 0 {
		return nil, errFault // once is enough
	}
	here, there := net.Pipe()
	s.last <- there
	go s.serve(there)
	return here, nil
}

func (s *liar) serve(conn net.Conn) {
	in := wire.NewReader(conn, wire.DefaultMaxFrame)
	for {
		f, ok, err := in.Next()
		if err == nil && !ok {
			err = in.Fill()
		}
		if err == nil && ok {
			if b := s.answer(f); len(b) > 0 {
				_, err = conn.Write(b)
			}
		}
		if err != nil {
			return
		}
	}
}

func (s *liar) answer(f wire.Frame) []byte {
	switch f.Type {
	case wire.Hello:
		return wire.AppendWelcome(nil, &wire.Terms{
			Version: wire.Version, Offers: wire.Offers(), MaxFrame: wire.DefaultMaxFrame, Idle: time.Hour, Session: []byte{1},
		})
	case wire.Open:
		schema := template.AppendSchema([]byte{1},
			&template.Schema{Kind: "k", Fields: []template.Field{{Name: "f", Class: template.Int}}})
		b := wire.AppendFrame(nil, wire.Kind, 0, schema)
		return wire.AppendFrame(b, wire.Answer, f.ID, wire.AppendOpened(nil, &wire.Opened{Incarnation: "first"}))
	case wire.Topology:
		return wire.AppendFrame(nil, wire.Answer, f.ID, []byte{0, 1, 0, 0})
	case wire.CancelWait, wire.Goodbye, wire.Acknowledge, wire.Ack:
		return nil
	}
	if s.mute {
		return nil
	}
	if s.calls++; s.calls == 100 {
		s.over() // an answer may claim for ever that there is more
	}
	return wire.AppendFrame(nil, wire.Answer, f.ID, s.body)
}

// A server that is there and says nothing any more is given up.
func TestClient_SilentConnectionsAreReplaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var dials atomic.Int32
		c, err := client.DialConfig(t.Context(),
			client.Config{Addr: "mute", Dial: func(ctx context.Context, addr string) (net.Conn, error) {
				dials.Add(1)
				s := &liar{mute: true, last: make(chan net.Conn, 1)}
				return s.dial(ctx, addr)
			}})
		require.NoError(t, err)
		time.Sleep(30 * time.Minute)
		require.EqualValues(t, 1, dials.Load())
		time.Sleep(time.Hour)
		require.EqualValues(t, 2, dials.Load())
		require.NoError(t, c.Close())
	})
}

// Whatever a server answers and sends, calls return, and nothing crashes.
func FuzzClient(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{1, 1, 2, 1, 0x18})
	f.Add(wire.AppendFrame(nil, wire.Kind, 0, []byte{1}))
	f.Add(wire.AppendFrame(nil, wire.Event, 1, []byte{0, 1, 1, 1, 2, 0}))
	f.Add(wire.AppendFrame(nil, wire.Goaway, 0, nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		ctx, cancel := context.WithCancel(t.Context())
		s := &liar{body: b, over: cancel, last: make(chan net.Conn, 1)}
		c, err := client.DialConfig(t.Context(),
			client.Config{Addr: "liar", Dial: s.dial, Grace: time.Millisecond, MaxBackoff: time.Millisecond})
		require.NoError(t, err)
		q := space.Query{Templates: []*template.Template{{Kind: "k"}}}
		entries, _ := c.Read(ctx, q)
		for i := range entries {
			require.NotNil(t, entries[i].Schema)
		}
		_, _ = c.Take(ctx, q)
		_, _ = c.Write(ctx, txn.ID{}, []space.Draft{{Kind: "k", Lease: space.Forever}})
		_, _ = c.Count(ctx, q)
		_, _ = c.Kinds(ctx)
		_, _ = c.Spaces(ctx)
		_, _ = c.Renew(ctx, time.Hour, 1, 2)
		_ = c.Cancel(ctx, 1, 2)
		_, _ = c.Register(ctx, &template.Schema{Kind: "k"})
		_, _ = c.Notify(ctx, q, 0, time.Hour)
		for _, err := range c.Contents(ctx, q) {
			_ = err
		}
		conn := <-s.last
		s.last <- conn
		_, _ = conn.Write(b)
		conn.Close()
		require.NoError(t, c.Close())
	})
}
