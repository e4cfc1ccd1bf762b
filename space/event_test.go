package space_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
)

func TestParseEventType_KnowsEveryTypeByItsName(t *testing.T) {
	t.Parallel()
	for _, typ := range []space.EventType{
		space.Written, space.Taken, space.Expired, space.Cancelled, space.Renewed, space.Updated, space.Visible,
		space.Available,
	} {
		got, err := space.ParseEventType(typ.String())
		require.NoError(t, err)
		require.Equal(t, typ, got)
	}
	for _, name := range []string{"", "gap", "Written", "finished"} {
		_, err := space.ParseEventType(name)
		require.ErrorIs(t, err, space.ErrInvalidArgument, name)
	}
	require.Equal(t, "gap", space.Gap.String())
	require.Equal(t, "EventType(0)", space.EventType(0).String())
	require.Equal(t, "EventType(200)", space.EventType(200).String())
}
