package partition_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/txn"
)

// burst writes entries as one burst of calls, numbered from first on.
func burst(p *partition.Partition, c *caller, first uint64, drafts ...[]call.Draft) {
	p.Begin()
	for i, d := range drafts {
		p.Write(c, first+uint64(i), txn.ID{}, call.Request{}, d)
	}
	p.Store()
}

// bulk returns drafts of more bytes than a burst stores itself.
func bulk() (drafts []call.Draft) {
	for n := range int64(2000) {
		drafts = append(drafts, draft(n)...)
	}
	return drafts
}

// A burst that leaves little for a prompt log is in the log, and its callers told, when it ends. More, and anything for
// a log that has been slow, is stored by the committer.
func TestStore_StoresLittleItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := new(tape)
		p := start(t, log)
		c := newCaller()
		synctest.Wait()

		burst(p, c, 1, draft(1), draft(2))
		require.False(t, c.held(1))
		require.False(t, c.held(2))

		log.delay = time.Second
		burst(p, c, 3, bulk())
		require.True(t, c.held(3), "it is large")
		burst(p, c, 4, draft(4))
		require.True(t, c.held(4), "another is on its way")
		time.Sleep(3 * time.Second)
		require.NoError(t, c.await(4).err)
		burst(p, c, 5, draft(5))
		require.True(t, c.held(5), "the log was slow")
		time.Sleep(2 * time.Second)
		require.NoError(t, c.await(5).err)

		log.delay = 0
		burst(p, c, 6, draft(6))
		synctest.Wait()
		require.NoError(t, c.await(6).err)
		burst(p, c, 7, draft(7))
		require.False(t, c.held(7), "it is prompt again")
	})
}

// Calls that come while a burst stores what it has left are stored by the committer afterwards; so is what is there
// when the partition is closed meanwhile.
func TestStore_OthersGoOnMeanwhile(t *testing.T) {
	t.Parallel()
	for _, closing := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			log := new(tape)
			p := start(t, log)
			c := newCaller()
			synctest.Wait()
			log.delay = time.Second
			go burst(p, c, 1, draft(1))
			synctest.Wait()
			p.Write(c, 2, txn.ID{}, call.Request{}, draft(2))
			burst(p, c, 3, draft(3))
			if closing {
				require.NoError(t, p.Close())
			} else {
				time.Sleep(3 * time.Second)
			}
			for n := uint64(1); n <= 3; n++ {
				require.False(t, c.held(n))
				require.NoError(t, c.await(n).err)
			}
			require.Len(t, log.msgs, 3) // the kind, the burst, and the others together
		})
	}
}

// An append that fails in the goroutine of a caller is as one that fails in the committer: its outcomes, and those that
// came meanwhile, are lost or unknown, and the state is made from the log again.
func TestStore_TellsOfAFailedAppend(t *testing.T) {
	t.Parallel()
	for _, fault := range []tapeFault{stored, lost, refused} {
		for _, closing := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				log := new(tape)
				p := start(t, log)
				c := newCaller()
				synctest.Wait()
				log.armed, log.in, log.fault, log.delay = true, 1, fault, time.Second
				go burst(p, c, 1, draft(1))
				synctest.Wait()
				p.Write(c, 2, txn.ID{}, call.Request{}, draft(2))
				if closing {
					require.NoError(t, p.Close())
				} else {
					time.Sleep(time.Minute)
				}
				for n := uint64(1); n <= 2; n++ {
					err := c.await(n).err
					require.Error(t, err)
					require.Equal(t, fault != refused, errors.Is(err, call.ErrOutcomeUnknown), err)
				}
				if closing {
					return
				}
				p.Find(c, 3, query(1, false), 0)
				require.Equal(t, fault == stored, c.await(3).err == nil)
			})
		}
	}
}
