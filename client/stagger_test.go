package client_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/spacetest"
)

// silent returns the address of something that accepts connections, as a stopped process does, and never answers.
func silent(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l.Addr().String()
}

// An address that does not answer keeps Dial from the next one for a moment only, and not for its DialTimeout.
func TestDial_PassesASilentAddress(t *testing.T) {
	t.Parallel()
	s := spacetest.Server(t, spacetest.ServerConfig{Durability: "memory"})
	c, err := client.DialConfig(t.Context(), client.Config{
		Addr: silent(t) + "," + silent(t) + "," + s.Addr(), DialTimeout: time.Hour,
	})
	require.NoError(t, err)
	type item struct{ N int }
	_, err = space.Write(t.Context(), c, item{1})
	require.NoError(t, err)
	require.NoError(t, c.Close())
}

// When no address answers, Dial tells of each.
func TestDial_TellsOfEachAddress(t *testing.T) {
	t.Parallel()
	addrs := []string{silent(t), silent(t)}
	_, err := client.DialConfig(t.Context(), client.Config{
		Addr: strings.Join(addrs, ","), DialTimeout: 50 * time.Millisecond,
	})
	require.ErrorIs(t, err, client.ErrNotServer)
	for _, addr := range addrs {
		require.ErrorContains(t, err, addr)
	}
}
