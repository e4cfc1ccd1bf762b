package server

import (
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
)

// closer is a connection that is closed or not.
type closer struct {
	net.Conn
	closed bool
}

func (c *closer) Close() error {
	c.closed = true
	return nil
}

func (c *closer) RemoteAddr() net.Addr { return &net.TCPAddr{} }

func TestWatch_StandstillOfTheServerIsNoSilenceOfItsClients(t *testing.T) {
	t.Parallel()
	const every = time.Second
	srv := &Server{cfg: Config{Idle: 4 * every, Resume: time.Minute, Logger: slog.New(slog.DiscardHandler)}}
	s := newSession(srv, token{}, call.Client{}, "")
	conn := &closer{}
	s.conn = conn
	now := time.Now()
	look := func(d time.Duration) {
		last := now
		now = now.Add(d)
		s.check(now, standstill(last, now, every))
	}
	s.activity.Add(1)
	look(every)
	look(time.Hour)
	require.False(t, conn.closed, "the server has stood still")
	s.reading = true
	for range 10 {
		look(every)
	}
	require.False(t, conn.closed, "the server is at work for it")
	s.reading = false
	look(every)
	look(every)
	require.False(t, conn.closed)
	look(every)
	look(every)
	require.True(t, conn.closed)
}
