package server_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/internal/server"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/txn"
)

var client = call.Client{7}

// connectAs connects as a client that repeats calls.
func (r *rig) connectAs(client call.Client) *peer {
	p := r.connect()
	p.hello(wire.Greeting{MinVersion: wire.Version, MaxVersion: wire.Version, Client: client[:]})
	return p
}

// openAs returns the body of a call that opens the space as 0, for a client that was told a session before.
func openAs(session uint64) []byte { return openAgainAs(session, 0) }

// openAgainAs is openAs after so many Resets of the handle.
func openAgainAs(session, resets uint64) []byte {
	return uvarints(0, 5, 's', 'p', 'a', 'c', 'e', 0, session, resets)
}

// joinAs connects as a client that repeats calls, and opens the space as 0.
func (r *rig) joinAs(client call.Client, before uint64) (p *peer, session uint64, lost bool) {
	p = r.connectAs(client)
	d := wire.NewDecoder(p.call(wire.Open, 1, openAs(before)))
	o := d.Opened()
	require.NoError(r.t, d.Err())
	return p, o.Session, o.Lost
}

func repeatBody(number uint64, op wire.Type, ask bool, body []byte) []byte {
	return append(wire.AppendRepeated(nil, op, ask, number), body...)
}

func TestRepeat_AnswersWithTheFirstOutcome(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, server.Config{}, partition.Config{})
		defer r.close()
		p, session, _ := r.joinAs(client, 0)
		p.register()
		written := slices.Clone(p.call(wire.Write, 3, writeBody("x")))
		taken := slices.Clone(p.call(wire.Find, 4, findBody(true, false)))
		noted := slices.Clone(p.call(wire.Notify, 5, notifyBody()))
		require.NotZero(t, session)

		// The same client again: its first session ends, although its connection is there.
		q, again, lost := r.joinAs(client, session)
		require.Equal(t, session, again)
		require.False(t, lost)
		synctest.Wait()
		require.Equal(t, 1, r.server.Stats().Sessions)
		_, err := p.tryNext()
		require.Error(t, err)

		require.Equal(t, written, q.call(wire.Repeat, 3, repeatBody(3, wire.Write, false, writeBody("x"))))
		require.Equal(t, taken, q.call(wire.Repeat, 4, repeatBody(4, wire.Find, true, findBody(true, true))))
		require.Equal(t, noted, q.call(wire.Repeat, 5, repeatBody(5, wire.Notify, false, notifyBody())))
		q.send(wire.Write, 6, writeBody("y"))
		for f := q.next(); f.Type != wire.Event; f = q.next() {
			require.NotEqual(t, wire.Failure, f.Type)
		}

		q.send(wire.Repeat, 7, repeatBody(7, wire.Write, true, writeBody("z")))
		require.ErrorIs(t, q.failure(7), call.ErrCancelled, "it was not executed, and is not now")
		q.call(wire.Repeat, 7, repeatBody(7, wire.Write, false, writeBody("z")))
		require.Equal(t, "y", entry(t, q.call(wire.Find, 8, findBody(true, false))))
		require.Equal(t, "z", entry(t, q.call(wire.Find, 9, findBody(true, false))))

		q.send(wire.Repeat, 10, repeatBody(10, wire.Kinds, false, []byte{0}))
		require.ErrorIs(t, q.failure(10), call.ErrOutcomeUnknown)
		anonymous := r.join()
		anonymous.send(wire.Repeat, 3, repeatBody(3, wire.Write, false, writeBody("x")))
		require.ErrorIs(t, anonymous.failure(3), call.ErrOutcomeUnknown)
	})
}

// What a session that is still connected waits for is not taken for it any more when its client comes anew.
func TestRepeat_EndsTheWaitsOfTheEarlierSession(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, server.Config{}, partition.Config{})
		defer r.close()
		p, session, _ := r.joinAs(client, 0)
		p.register()
		p.send(wire.Find, 3, findBody(true, true))
		synctest.Wait()
		require.Equal(t, 1, r.partition.Stats().Waiting)
		q, _, _ := r.joinAs(client, session)
		require.Zero(t, r.partition.Stats().Waiting)
		q.send(wire.Repeat, 3, repeatBody(3, wire.Find, false, findBody(true, true)))
		q.call(wire.Echo, 4, nil)
		require.Equal(t, 1, r.partition.Stats().Waiting)
		q.send(wire.Write, 5, writeBody("x"))
		got := map[uint64]bool{}
		for len(got) < 2 {
			if f := q.next(); f.Type == wire.Answer {
				got[f.ID] = true
			}
		}
		require.True(t, got[3])
	})
}

// Outcomes are forgotten once the client has received the answers, and not before.
func TestRepeat_OutcomesAreForgottenWhenTheyAreReceived(t *testing.T) {
	t.Parallel()
	for name, log := range map[string]partition.Log{"without log": nil, "with log": always{}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, server.Config{}, partition.Config{Log: log})
			defer r.close()
			p, session, _ := r.joinAs(client, 0)
			p.register()
			known := func(callID uint64) bool {
				had, err := r.partition.Recall(silent{}, 1, call.Request{Session: session, Number: callID})
				require.NoError(t, err)
				return had
			}
			for callID := uint64(10); callID < 20; callID++ {
				p.call(wire.Write, callID, writeBody(fmt.Sprint(callID)))
			}
			middle := p.in.Total()
			for callID := uint64(20); callID < 30; callID++ {
				p.call(wire.Write, callID, writeBody(fmt.Sprint(callID)))
			}
			p.send(wire.Ack, 0, uvarints(middle)) // so far the server has never noted a position
			p.call(wire.Echo, 100, nil)
			require.True(t, known(10))
			p.send(wire.Ack, 0, uvarints(p.in.Total()))
			p.call(wire.Echo, 101, nil)
			for callID := uint64(10); callID < 28; callID++ {
				require.False(t, known(callID), "call %d", callID)
			}
			require.True(t, known(29), "what came last may have others that are on their way")
			p.call(wire.Write, 30, writeBody("30"))
			require.True(t, known(30))
		})
	}
}

// silent is a partition.Caller that does not care.
type silent struct{}

func (silent) Reply(uint64, *call.Result, partition.LSN, bool)         {}
func (silent) Event(*partition.Event, partition.LSN, bool) (more bool) { return false }
func (silent) Durable(partition.LSN)                                   {}
func (silent) Lost(error)                                              {}

// always is a log that keeps nothing and never fails.
type always struct{ gate }

func (always) Append([]byte) error { return nil }

// When a log fails the client is asked to open the space again, and to repeat what was not durable. Other spaces go on.
func TestRepeat_AfterTheLogHasFailed(t *testing.T) {
	t.Parallel()
	log := make(gate, 2)
	r := newRig(t, server.Config{}, partition.Config{Log: log})
	defer func() { close(log); r.close() }()
	p, session, _ := r.joinAs(client, 0)
	log <- nil
	p.register()
	log <- nil
	p.call(wire.Write, 3, writeBody("x"))
	log <- errors.New("disk full")
	p.send(wire.Write, 4, writeBody("y"))
	reset := p.next()
	require.Equal(t, wire.Reset, reset.Type)
	require.Zero(t, reset.ID, "the handle")
	require.ErrorIs(t, p.failure(4), wire.ErrInDoubt)
	p.send(wire.Write, 5, writeBody("not executed"))
	require.ErrorIs(t, p.failure(5), wire.ErrInterrupted)
	p.send(wire.Repeat, 4, repeatBody(4, wire.Write, true, writeBody("y")))
	require.ErrorIs(t, p.failure(4), wire.ErrInDoubt)

	require.Eventually(t, func() bool { return r.partition.Stats().Err == nil }, time.Minute, time.Millisecond)
	d := wire.NewDecoder(p.call(wire.Open, 6, openAgainAs(session, 1)))
	o := d.Opened()
	require.Equal(t, session, o.Session)
	require.False(t, o.Lost)
	p.send(wire.Repeat, 4, repeatBody(4, wire.Write, true, writeBody("y")))
	require.ErrorIs(t, p.failure(4), call.ErrCancelled, "this log has forgotten everything")
	require.Equal(t, 1, r.server.Stats().Sessions, "the session goes on")
}

// A space is open when it can tell which transactions of the client are: not while its state is rebuilt from the log.
func TestOpen_FailsWhileTheSpaceCannotTell(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := make(gate, 2)
		r := newRig(t, server.Config{}, partition.Config{Log: log})
		defer func() { close(log); r.close() }()
		p, session, _ := r.joinAs(client, 0)
		log <- nil
		p.register()
		log <- errors.New("disk full")
		p.send(wire.Write, 3, writeBody("x"))
		require.Equal(t, wire.Reset, p.next().Type)
		require.ErrorIs(t, p.failure(3), wire.ErrInDoubt)
		q := r.connectAs(client)
		open := openAs(session)
		q.send(wire.Open, 1, open)
		require.ErrorIs(t, q.failure(1), call.ErrUnavailable)
		time.Sleep(time.Second)
		d := wire.NewDecoder(q.call(wire.Open, 2, open))
		require.Equal(t, session, d.Opened().Session)
	})
}

// Who is told which transactions are open knows that the others have ended: no crash may bring them back.
func TestOpen_IsAnsweredWhenTheLogKnowsWhichTransactionsHaveEnded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := make(gate, 2)
		r := newRig(t, server.Config{}, partition.Config{Log: log})
		defer func() { close(log); r.close() }()
		p, session, _ := r.joinAs(client, 0)
		log <- nil
		p.register()
		log <- nil
		p.call(wire.Write, 3, writeBody("x"))
		log <- nil
		tx := answered(t, wire.BeginTxn, p.call(wire.BeginTxn, 4, wire.AppendLease([]byte{0}, int64(time.Hour))))
		find := appendFind([]byte{0}, true, 0, 1)
		find = append(wire.AppendTemplate(append(wire.AppendTxn(find, txn.ID{Number: tx.Grants[0].ID}), 1), 1, nil), 0)
		require.Equal(t, "x", entry(t, p.call(wire.Find, 5, find)))

		q := r.connectAs(client) // which ends the first session, and its transaction
		for callID := range uint64(2) {
			q.send(wire.Open, 6+callID, openAs(session))
		}
		q.call(wire.Echo, 8, nil)
		log <- nil
		log <- nil
		o := wire.NewDecoder(q.answer(6).Body)
		require.Empty(t, o.Opened().Txns)
		q.answer(7)
	})
}

// A client that says goodbye has all that it wants; one that vanishes may come back.
func TestRepeat_SessionsWithSpacesEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, server.Config{Resume: time.Second}, partition.Config{SessionGrace: time.Minute})
		defer r.close()
		p, _, _ := r.joinAs(client, 0)
		p.register()
		p.call(wire.Write, 3, writeBody("x"))
		p.send(wire.Goodbye, 0, nil)
		synctest.Wait()
		require.Zero(t, r.partition.Stats().Sessions)

		p, session, lost := r.joinAs(client, 0)
		require.False(t, lost)
		p.call(wire.Write, 3, writeBody("x"))
		p.conn.Close()
		time.Sleep(50 * time.Second)
		require.Zero(t, r.server.Stats().Sessions)
		require.Equal(t, 1, r.partition.Stats().Sessions)
		time.Sleep(time.Minute)
		require.Zero(t, r.partition.Stats().Sessions)
		_, _, lost = r.joinAs(client, session)
		require.True(t, lost)
	})
}
