package client_test

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/txn"
)

// script is a server whose calls the test answers.
type script struct {
	conn   net.Conn
	frames chan wire.Frame
}

func newScript() *script { return &script{frames: make(chan wire.Frame)} }

// hangUp ends the connection, and passes over calls that were not asked for.
func (s *script) hangUp() {
	s.conn.Close()
	for range s.frames {
	}
}

// dial returns the connection to s; there is only one.
func (s *script) dial() (net.Conn, error) {
	if s.conn != nil {
		return nil, errFault
	}
	here, there := net.Pipe()
	s.conn = there
	go s.serve()
	return here, nil
}

// serve does the handshake, opens spaces, and passes everything else on.
func (s *script) serve() {
	defer close(s.frames)
	conn := s.conn
	var opens liar
	in := wire.NewReader(conn, wire.DefaultMaxFrame)
	for {
		f, ok, err := in.Next()
		switch {
		case err != nil:
			return
		case !ok && in.Fill() != nil:
			return
		case !ok, f.Type == wire.Ack, f.Type == wire.Goodbye:
			continue
		case f.Type == wire.Ping:
			_, _ = conn.Write(wire.AppendFrame(nil, wire.Pong, 0, []byte{0}))
		case f.Type == wire.Hello, f.Type == wire.Open, f.Type == wire.Topology:
			_, _ = conn.Write(opens.answer(f))
		default:
			s.frames <- wire.Frame{Type: f.Type, ID: f.ID}
		}
	}
}

// next returns the next call, and fails if it is not a want.
func (s *script) next(t *testing.T, want wire.Type) wire.Frame {
	f := <-s.frames
	require.Equal(t, want, f.Type)
	return f
}

// repeated returns the next two calls, of which the first that is returned is a repeated one.
func (s *script) repeated() (again, other wire.Frame) {
	again, other = <-s.frames, <-s.frames
	if other.Type == wire.Repeat {
		again, other = other, again
	}
	return again, other
}

func (s *script) fail(f wire.Frame, err error) {
	_, _ = s.conn.Write(wire.AppendFailure(nil, f.ID, err))
}

// An answer to a call that was sent to a node before its partition left that node, and came back, is not taken for the
// answer to the same call made again: "not executed" was true of the first only.
func TestElsewhere_BackAndForth(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		nodes := map[string]*script{"a": newScript(), "b": newScript()}
		a, b := nodes["a"], nodes["b"]
		c, err := client.DialConfig(t.Context(), client.Config{
			Addr: "a", Dial: func(_ context.Context, addr string) (net.Conn, error) {
				return nodes[addr].dial()
			},
		})
		require.NoError(t, err)
		defer c.Close()
		defer a.hangUp()
		defer b.hangUp()
		first, second := make(chan error, 1), make(chan error, 1)
		go func() { first <- c.Cancel(t.Context(), 1) }()
		before := a.next(t, wire.Cancel)
		go func() { _, err := c.Renew(t.Context(), time.Hour, 2); second <- err }()
		a.fail(a.next(t, wire.Renew), &call.ElsewhereError{At: defaultAt, Node: "b", Epoch: call.Epoch{Claim: 2}})
		_, renewal := b.repeated() // b executes the other, but its answer is lost
		b.fail(renewal, &call.ElsewhereError{At: defaultAt, Node: "a", Epoch: call.Epoch{Claim: 3}})
		again, renewal := a.repeated()
		a.fail(before, wire.ErrInterrupted)
		a.fail(renewal, space.ErrLeaseEnded)
		require.ErrorIs(t, <-second, space.ErrLeaseEnded)

		synctest.Wait()
		require.Empty(t, first)
		select {
		case f := <-a.frames:
			t.Fatalf("it is made as a new call: %v", f.Type)
		default:
		}
		_, err = a.conn.Write(wire.OpOf(wire.Cancel).AppendAnswer(nil, again.ID, &call.Result{Errs: []error{nil}}))
		require.NoError(t, err)
		require.NoError(t, <-first)
	})
}

// A call may need other partitions than its own, such as the home of its transaction. Where these are says nothing of
// its own, and their epochs are others.
func TestElsewhere_AnotherPartition(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		nodes := map[string]*script{"a": newScript(), "b": newScript()}
		a, b := nodes["a"], nodes["b"]
		c, err := client.DialConfig(t.Context(), client.Config{
			Addr: "a", Dial: func(_ context.Context, addr string) (net.Conn, error) {
				return nodes[addr].dial()
			},
		})
		require.NoError(t, err)
		defer c.Close()
		defer a.hangUp()
		defer b.hangUp()
		ended := make(chan error, 1)
		go func() { ended <- c.Cancel(t.Context(), 1) }()
		home := txn.Address{Space: "home"}
		a.fail(a.next(t, wire.Cancel), &call.ElsewhereError{At: home, Node: "b", Epoch: call.Epoch{Claim: 100}})
		a.fail(a.next(t, wire.Cancel), &call.ElsewhereError{At: defaultAt, Node: "b", Epoch: call.Epoch{Claim: 2}})
		b.fail(b.next(t, wire.Cancel), space.ErrLeaseEnded)
		require.ErrorIs(t, <-ended, space.ErrLeaseEnded)
	})
}

// defaultAt is where a client is that names no space.
var defaultAt = txn.Address{Space: "default"}
