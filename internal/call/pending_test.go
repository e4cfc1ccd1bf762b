package call

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPending_ShowsInOrder(t *testing.T) {
	t.Parallel()
	var p Pending
	p.Add(10, 5)
	p.Add(1, 7)
	p.Add(2, 6) // after the one that waits for 7
	p.Add(3, 8)
	require.Zero(t, p.Durable(4))
	require.Equal(t, 10, p.Durable(6))
	require.Zero(t, p.Durable(6))
	require.False(t, p.Empty())
	require.Equal(t, 6, p.Durable(9))
	require.True(t, p.Empty())
	p.Add(4, 10)
	p.Drop()
	require.Zero(t, p.Durable(11))
}

func TestSingle_TellsAnOutcomeOnce(t *testing.T) {
	t.Parallel()
	refused, lost := errors.New("refused"), errors.New("lost")
	s := NewSingle()
	s.Settle(refused, 0, true)
	<-s.Done()
	require.Equal(t, refused, s.Err())
	s.Lost(lost)
	s.Durable(9)
	require.Empty(t, s.Done(), "there is no call")
	s.Settle(nil, 5, false)
	s.Durable(4)
	require.Empty(t, s.Done())
	s.Durable(5)
	s.Lost(lost)
	<-s.Done()
	require.NoError(t, s.Err())
	s.Settle(nil, 6, false)
	s.Lost(lost)
	s.Durable(6)
	<-s.Done()
	require.Equal(t, lost, s.Err())
	require.Empty(t, s.Done())
}
