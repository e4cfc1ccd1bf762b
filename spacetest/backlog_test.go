package spacetest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/spacetest"
)

type reading struct{ Number int }

// TestBacklog has a listener collect nothing while many more events come than memory holds. It gets all of them, in
// order, from the server that has seen them and from the one that follows it after a SIGKILL.
func TestBacklog(t *testing.T) {
	t.Parallel()
	const events, bulk, early = 300_000, 1000, 100_000
	s := spacetest.Server(t, spacetest.ServerConfig{Process: true})
	sp, writer := s.Dial(t), s.Dial(t)
	reg, err := space.Notify(t.Context(), sp, reading{})
	require.NoError(t, err)
	vs := make([]reading, bulk)
	for i := range events / bulk {
		for j := range vs {
			vs[j].Number = i*bulk + j + 1
		}
		_, err := space.WriteAll(t.Context(), writer, vs)
		require.NoError(t, err)
	}
	for n := 1; n <= events; n++ {
		if n == early {
			s.Kill()
			s.Start()
		}
		e, err := reg.Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, space.Written, e.Type)
		require.Equal(t, reg.Start()+uint64(n), e.Seq)
		v, err := space.Decode[reading](e.Entry)
		require.NoError(t, err)
		require.Equal(t, n, v.Number)
	}
	require.NoError(t, reg.Close())
}
