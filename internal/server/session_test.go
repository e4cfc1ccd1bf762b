package server_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/internal/server"
	"github.com/gospaces/gospaces/internal/wire"
)

// back connects again to resume the session of p, of whose stream it has received so much.
func (r *rig) back(p *peer, received uint64) *peer {
	again := r.connect()
	again.hello(wire.Greeting{
		MinVersion: wire.Version, MaxVersion: wire.Version, Session: p.terms.Session,
		Received: received,
	})
	return again
}

func TestSession_AnswersAreSentAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t, server.Config{}, partition.Config{})
	defer r.close()
	p := r.join()
	p.register()
	before := p.in.Total()
	p.call(wire.Write, 3, writeBody("x"))
	p.send(wire.Find, 4, findBody(true, false))
	p.conn.Close() // the answer to 4 is lost, that to 3 has been seen or not
	again := r.back(p, before)
	require.True(t, again.terms.Resumed)
	again.answer(3)
	require.Equal(t, "x", entry(t, again.answer(4).Body))
	again.send(wire.Find, 5, findBody(true, false))
	require.ErrorIs(t, again.failure(5), call.ErrNoMatch, "it was written once")
	require.Equal(t, uint64(1), r.server.Stats().Resumed)
}

func TestSession_WaitsAreParkedWhileNobodyIsThere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, server.Config{}, partition.Config{})
		defer r.close()
		p, other := r.join(), r.join()
		p.register()
		for callID := uint64(10); callID < 13; callID++ {
			p.send(wire.Find, callID, findBody(true, true))
		}
		p.send(wire.Find, 13,
			append(wire.AppendTemplate(append(appendFind([]byte{0}, true, time.Second, 1), 0, 1), 1, nil), 0))
		p.call(wire.Echo, 14, nil)
		received := p.in.Total()
		p.conn.Close()
		synctest.Wait()
		other.call(wire.Write, 3, writeBody("a"))
		require.Equal(t, "a", entry(t, other.call(wire.Find, 4, findBody(false, false))),
			"the entry was not taken for a client that is gone")

		time.Sleep(2 * time.Second)
		p = r.back(p, received)
		require.True(t, p.terms.Resumed)
		require.Equal(t, "a", entry(t, p.answer(10).Body))
		require.ErrorIs(t, p.failure(13), call.ErrNoMatch, "its time was over")
		other.call(wire.Write, 5, writeBody("b"))
		require.Equal(t, "b", entry(t, p.answer(11).Body))
		p.send(wire.CancelWait, 12, nil)
		require.ErrorIs(t, p.failure(12), call.ErrCancelled)
	})
}

func TestSession_ConnectionsThatAreDeadUnnoticedAreReplaced(t *testing.T) {
	t.Parallel()
	r := newRig(t, server.Config{}, partition.Config{})
	defer r.close()
	p := r.join()
	again := r.back(p, p.in.Total())
	require.True(t, again.terms.Resumed)
	require.Equal(t, []byte("x"), again.call(wire.Echo, 3, []byte("x")))
	_, err := p.tryNext()
	require.Error(t, err)
}

func TestSession_WhatCannotGoOnBeginsAnew(t *testing.T) {
	t.Parallel()
	r := newRig(t, server.Config{}, partition.Config{})
	defer r.close()
	p := r.join()
	p.terms.Session[0]++
	again := r.back(p, p.in.Total())
	require.False(t, again.terms.Resumed, "an unknown session")
	p.terms.Session[0]--
	again = r.back(p, 1<<40)
	require.False(t, again.terms.Resumed, "a position that was never sent")
	require.NotEqual(t, p.terms.Session, again.terms.Session)
	again.send(wire.Write, 3, writeBody("x"))
	require.ErrorIs(t, again.failure(3), call.ErrInvalidArgument, "nothing is open in a new session")
}

// notifyBody registers for all entries of kind 1, with the smallest window.
func notifyBody() []byte { return append(wire.AppendTemplate([]byte{0, 0, 0, 0, 0, 1}, 1, nil), 0) }

func TestListener_SlowOnesGetNoMoreThanTheirWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, server.Config{}, partition.Config{})
		defer r.close()
		p, other := r.join(), r.join()
		p.register()
		noted := answered(t, wire.Notify, p.call(wire.Notify, 3, notifyBody()))
		registration := noted.Grants[0].ID
		require.Zero(t, noted.Seq)
		const events = 500
		for i := range events {
			other.call(wire.Write, uint64(10+i), writeBody(fmt.Sprint("event ", i+1)))
		}
		arrived, unread := uint64(0), 0
		for arrived < events {
			p.post(wire.Ping, 0, nil)
			synctest.Wait()
			for f := p.next(); f.Type != wire.Pong; f = p.next() {
				arrived++
				d := wire.NewDecoder(f.Body)
				d.Uvarint()
				ev := d.Event()
				require.Equal(t, call.Written, ev.Type)
				require.Equal(t, arrived, ev.Seq, "dense and in order")
				unread += len(f.Body)
			}
			require.LessOrEqual(t, unread, 1100)
			require.Positive(t, unread)
			p.send(wire.Acknowledge, 0, uvarints(0, registration, arrived, uint64(unread)))
			unread = 0
			synctest.Wait()
		}
	})
}

func TestListener_LapsedOnesLearnOfTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, server.Config{}, partition.Config{})
		defer r.close()
		p, other := r.join(), r.join()
		p.register()
		registration := answered(t, wire.Notify, p.call(wire.Notify, 3, notifyBody())).Grants[0].ID
		for i := range 200 {
			other.call(wire.Write, uint64(10+i), writeBody(fmt.Sprint("event ", i+1)))
		}
		other.call(wire.Cancel, 3, uvarints(0, 1, registration))
		arrived := uint64(0)
		for {
			size := 0
			p.post(wire.Ping, 0, nil)
			synctest.Wait()
			f := p.next()
			for ; f.Type == wire.Event; f = p.next() {
				arrived++
				size += len(f.Body)
			}
			if f.Type == wire.Ended {
				require.Equal(t, registration, f.ID)
				d := wire.NewDecoder(f.Body)
				d.Uvarint()
				require.Equal(t, uint64(200), d.Uvarint(), "the last event that there was")
				break
			}
			p.send(wire.Acknowledge, 0, uvarints(0, registration, arrived, uint64(size)))
			synctest.Wait()
		}
		require.Equal(t, uint64(200), arrived, "the end comes after all events")
		require.Zero(t, r.partition.Stats().Registrations)
	})
}

// Who listens no longer leaves nothing behind, even if the registration ended while there was more to hand over.
func TestListener_MayLeaveTheRest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, server.Config{}, partition.Config{})
		defer r.close()
		p := r.join()
		p.register()
		registration := answered(t, wire.Notify, p.call(wire.Notify, 3, notifyBody())).Grants[0].ID
		synctest.Wait() // the goroutine that reads has nothing to write, and hears the acknowledgement
		other := r.join()
		for i := range 200 {
			other.call(wire.Write, uint64(10+i), writeBody(fmt.Sprint("event ", i+1)))
		}
		other.call(wire.Cancel, 3, uvarints(0, 1, registration))
		require.Equal(t, 1, r.partition.Stats().Registrations, "for those events that the listener has not taken")
		p.post(wire.Acknowledge, 0, uvarints(0, registration, wire.AllEvents, 0))
		synctest.Wait()
		require.Zero(t, r.partition.Stats().Registrations)
	})
}

func TestListener_AnotherSessionCarriesOn(t *testing.T) {
	t.Parallel()
	r := newRig(t, server.Config{}, partition.Config{})
	defer r.close()
	p := r.join()
	p.register()
	registration := answered(t, wire.Notify, p.call(wire.Notify, 3, notifyBody())).Grants[0].ID
	p.call(wire.Write, 4, writeBody("event 1"))
	p.post(wire.Goodbye, 0, nil)
	other := r.join()
	other.call(wire.Write, 4, writeBody("event 2"))
	other.send(wire.Attach, 5, uvarints(0, registration, 1, 0))
	require.Equal(t, uvarints(2), other.answer(5).Body)
	for f := other.next(); ; f = other.next() {
		if f.Type == wire.Event {
			d := wire.NewDecoder(f.Body)
			d.Uvarint()
			require.Equal(t, uint64(2), d.Event().Seq)
			break
		}
		require.Equal(t, wire.Kind, f.Type)
	}
	other.send(wire.Attach, 6, uvarints(0, 4711, 0, 0))
	require.ErrorIs(t, other.failure(6), call.ErrLeaseEnded)
}

// A session that loses a registration to another one is told, and the other has the events.
func TestListener_IsToldWhenAnotherTakesItsPlace(t *testing.T) {
	t.Parallel()
	r := newRig(t, server.Config{}, partition.Config{})
	defer r.close()
	p := r.join()
	p.register()
	registration := answered(t, wire.Notify, p.call(wire.Notify, 3, notifyBody())).Grants[0].ID
	other := r.join()
	other.call(wire.Attach, 5, uvarints(0, registration, 0, 0))
	f := p.next()
	require.Equal(t, wire.Displaced, f.Type)
	require.Equal(t, registration, f.ID)
	require.Equal(t, uvarints(0), f.Body)

	p.call(wire.Write, 4, writeBody("event 1"))
	for f = other.next(); f.Type != wire.Event; f = other.next() {
		require.Equal(t, wire.Kind, f.Type)
	}
	p.send(wire.Acknowledge, 0, uvarints(0, registration, wire.AllEvents, 0)) // which is not its business any more
	require.Equal(t, []byte("x"), p.call(wire.Echo, 6, []byte("x")))
	other.call(wire.Write, 7, writeBody("event 2"))
	require.Equal(t, wire.Event, other.next().Type)
}
