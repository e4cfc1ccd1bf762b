package server_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/internal/server"
	"github.com/gospaces/gospaces/internal/wire"
)

// While the log hangs, in which the goroutine of a connection stores a call, the connection goes on: it is read, and
// may end. So may others that take its place.
func TestStore_AHangingLogStopsNoConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := make(gate, 10)
		r := newRig(t, server.Config{}, partition.Config{Log: log})
		p := r.join()
		log <- nil
		p.register()
		for id := uint64(3); id < 6; id++ {
			log <- nil
			p.call(wire.Write, id, writeBody("old"))
			synctest.Wait()
		}
		p.send(wire.Write, 6, writeBody("new")) // it stays in the log
		require.Equal(t, "old", entry(t, p.call(wire.Find, 7, findBody(false, false))))
		p.send(wire.Write, 8, writeBody("new"))
		time.Sleep(time.Second)
		require.Empty(t, p.call(wire.Echo, 9, nil))
		log <- nil
		log <- nil
		p.answer(6)
		p.answer(8)
		log <- nil
		p.call(wire.Write, 10, writeBody("new"))
		p.send(wire.Write, 11, writeBody("new")) // it stays there until everything ends
		require.Empty(t, p.call(wire.Echo, 12, nil))
		close(log)
		r.close()
	})
}
