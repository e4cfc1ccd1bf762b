package txn_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/txn"
)

func TestParse_ReadsWhatStringReturns(t *testing.T) {
	t.Parallel()
	for _, id := range []txn.ID{{Number: 1}, {Space: "default", Number: 17}, {Space: "a/b", Number: 1<<64 - 1}} {
		got, err := txn.Parse(id.String())
		require.NoError(t, err)
		require.Equal(t, id, got)
	}
}

func TestParse_RefusesWhatIsNoID(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"", "default", "default/", "default/x", "default/0", "default/-1",
		"default/99999999999999999999",
	} {
		_, err := txn.Parse(s)
		require.ErrorIs(t, err, txn.ErrMalformedID, s)
	}
}
