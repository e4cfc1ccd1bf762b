package server_test

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/server"
	"github.com/gospaces/gospaces/internal/wire"
)

// greet says hello and returns what it is refused with.
func greet(t *testing.T, addr string) error {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer nc.Close()
	require.NoError(t, nc.SetDeadline(time.Now().Add(time.Minute)))
	_, err = nc.Write(wire.AppendHello(nil, &wire.Greeting{MinVersion: wire.Version, MaxVersion: wire.Version}))
	require.NoError(t, err)
	in := wire.NewReader(nc, wire.MaxHello)
	for {
		f, ok, err := in.Next()
		require.NoError(t, err)
		if ok {
			require.Equal(t, wire.Refused, f.Type)
			d := wire.NewDecoder(f.Body)
			return d.Error()
		}
		require.NoError(t, in.Fill())
	}
}

func TestStarting_TellsHowFarTheServerIs(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	s := server.AnswerStarting(l.(*net.TCPListener), func() string { return "42 %" })
	for range 3 {
		err := greet(t, l.Addr().String())
		require.ErrorIs(t, err, call.ErrUnavailable)
		require.ErrorContains(t, err, "starting: 42 %")
	}
	require.NoError(t, s.Stop())

	accepted := make(chan error, 1)
	go func() {
		nc, err := l.Accept() // the listener is as it was
		if err == nil {
			err = nc.Close()
		}
		accepted <- err
	}()
	nc, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	require.NoError(t, <-accepted)
	require.NoError(t, nc.Close())
}
