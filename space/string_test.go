package space_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/txn"
)

// What is printed of a value is short, and says what it is.
func TestString(t *testing.T) {
	bubble(t, func(ctx context.Context, sp space.Space) {
		reg, err := space.Notify(ctx, sp, Task{}, space.On(space.Written, space.Taken))
		require.NoError(t, err)
		require.Equal(t, "registration 1", fmt.Sprint(reg))

		lease, err := space.Write(ctx, sp, Task{ID: 7, State: "new"}, space.For(10*time.Minute))
		require.NoError(t, err)
		time.Sleep(1500 * time.Millisecond)
		require.Equal(t, "lease 2 (9m59s left)", fmt.Sprint(lease))
		_, err = lease.Renew(ctx, space.Forever)
		require.NoError(t, err)
		require.Equal(t, "lease 2 (forever)", fmt.Sprintf("%v", lease))
		require.Equal(t, "lease 3 (over)", fmt.Sprint(space.Grant{ID: 3}.Lease(sp, time.Now())))

		e, err := reg.Next(ctx)
		require.NoError(t, err)
		require.Equal(t, `event 1: written task 2 {"id":7,"state":"new","priority":0}`, fmt.Sprintf("%+v", e))
		require.Equal(t, "event 9: gap (purged), what came after event 7 is lost",
			fmt.Sprint(space.Event{Type: space.Gap, Cause: space.GapPurged, Seq: 9, Missed: 2}))
		of := space.EventOf[Task]{Type: space.Taken, Seq: 2, ID: 2, Value: Task{ID: 7}}
		require.True(t, strings.HasPrefix(fmt.Sprint(of), "event 2: taken 2 {ID:7 State:"), of)
		require.Equal(t, "no entry", fmt.Sprint(space.Entry{}))

		_, tx, err := space.TakeTxn(ctx, sp, Task{ID: 7})
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("transaction %v (open)", tx.ID()), fmt.Sprint(tx))
		require.NoError(t, tx.Commit(ctx))
		require.Equal(t, fmt.Sprintf("transaction %v (ended)", tx.ID()), fmt.Sprint(tx))
		require.Equal(t, "transaction a/7 (open)", fmt.Sprint(space.TxnOf(sp, txn.ID{Space: "a", Number: 7})))
		require.NoError(t, reg.Close())
	})
}
