package space_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/space/memory"
)

type notice struct{ ID int }

// A registration without a lease of its own lives for as long as the program does, and ends soon after it.
func TestNotify_RenewsItsLeaseUntilItIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sp := memory.New(memory.Config{})
		defer sp.Close()
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		kept, err := space.Notify(short, sp, notice{})
		require.NoError(t, err)
		asked, err := space.Notify(short, sp, notice{}, space.For(5*time.Minute))
		require.NoError(t, err)
		require.Equal(t, 5*time.Minute, kept.Lease().Granted())

		time.Sleep(time.Hour)
		_, err = space.Write(t.Context(), sp, notice{ID: 1})
		require.NoError(t, err)
		e, err := kept.Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, space.Written, e.Type)
		_, err = asked.Next(t.Context())
		require.ErrorIs(t, err, space.ErrLeaseEnded, "the caller renews what it has asked for")

		require.NoError(t, kept.Close())
		_, err = kept.Lease().Renew(t.Context(), time.Minute)
		require.ErrorIs(t, err, space.ErrLeaseEnded)
		time.Sleep(time.Hour) // nothing renews it
	})
}
