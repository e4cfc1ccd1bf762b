package writeback_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/writeback"
)

func TestBadDSN_IsNotShown(t *testing.T) {
	t.Parallel()
	_, err := writeback.OpenDeadLetters(t.Context(), "postgres://user:sec%ret@localhost/db", "default")
	require.ErrorContains(t, err, `writeback: DSN: invalid URL escape`)
	require.NotContains(t, err.Error(), "localhost", "nor what else is in it")
}
