package engine

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/record"
)

// After a loss no entry gets an identity that a lost one may have had, whether the state came from the log or an image.
func TestLost_IdentitiesJumpAhead(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.write(tx0, 1)
	a := s.begin() // reserves identities
	last := max(s.e.lastID, s.e.reserved)
	require.NoError(t, s.e.Apply(record.AppendLost(nil)))
	require.Greater(t, s.write(tx0, 2), last+Unheard-1)
	require.Greater(t, s.begin(), a)
}
