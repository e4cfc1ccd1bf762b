package wire_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/wire"
)

func body(t testing.TB, b []byte) []byte {
	f, size, _, err := wire.Next(b, wire.MaxHello)
	require.NoError(t, err)
	require.Equal(t, len(b), size)
	return f.Body
}

func hello(t testing.TB, g wire.Greeting) []byte {
	return body(t, wire.AppendHello(nil, &g))
}

func welcome(t testing.TB, terms wire.Terms) []byte {
	return body(t, wire.AppendWelcome(nil, &terms))
}

func TestHandshake_CarriesBothSides(t *testing.T) {
	t.Parallel()
	g := wire.Greeting{
		MinVersion: 1, MaxVersion: 9, Requires: []string{wire.CapSpaces}, Software: "s", Session: []byte{1},
		Client: []byte{3}, Received: 7,
	}
	gotG, err := wire.DecodeHello(hello(t, g))
	require.NoError(t, err)
	require.Equal(t, &g, gotG)

	terms := wire.Terms{
		Version: wire.Version, Offers: wire.Offers(), Software: "x", MaxFrame: 1 << 20, Idle: time.Minute, Session: []byte{2},
		Resumed: true, Received: 8,
	}
	gotT, err := wire.DecodeWelcome(welcome(t, terms), []string{wire.CapResume})
	require.NoError(t, err)
	require.Equal(t, &terms, gotT)
}

func TestHandshake_RefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		greeting wire.Greeting
		want     error
	}{
		"newer client": {wire.Greeting{MinVersion: wire.Version + 1, MaxVersion: wire.Version + 2}, wire.ErrVersion},
		"older client": {wire.Greeting{MinVersion: 0, MaxVersion: 0}, wire.ErrVersion},
		"unknown capability": {wire.Greeting{
			MinVersion: wire.Version, MaxVersion: wire.Version,
			Requires: []string{"telepathy"},
		}, wire.ErrCapability},
	} {
		_, err := wire.DecodeHello(hello(t, c.greeting))
		require.ErrorIs(t, err, c.want, name)
	}
	good := wire.Terms{Version: wire.Version, MaxFrame: 1 << 20, Idle: time.Minute, Offers: wire.Offers()}
	for name, c := range map[string]struct {
		change func(*wire.Terms)
		want   error
	}{
		"other version": {func(t *wire.Terms) { t.Version++ }, wire.ErrVersion},
		"no capability": {func(t *wire.Terms) { t.Offers = nil }, wire.ErrCapability},
		"tiny frames":   {func(t *wire.Terms) { t.MaxFrame = 1 }, wire.ErrMalformed},
		"no idle time":  {func(t *wire.Terms) { t.Idle = -1 }, wire.ErrMalformed},
	} {
		terms := good
		c.change(&terms)
		_, err := wire.DecodeWelcome(welcome(t, terms), []string{wire.CapSpaces})
		require.ErrorIs(t, err, c.want, name)
	}
}

func FuzzHandshake(f *testing.F) {
	f.Add(hello(f, wire.Greeting{MinVersion: wire.Version, MaxVersion: wire.Version, Session: []byte{1}}))
	f.Add(welcome(f, wire.Terms{Version: wire.Version, MaxFrame: 1 << 20, Idle: time.Minute}))
	f.Fuzz(func(t *testing.T, b []byte) {
		require.Less(t, allocated(func() { decodeHandshake(b) }), handshakeAllocates(len(b)))
	})
}
