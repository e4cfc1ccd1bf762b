package space

import (
	"context"
	"iter"
	"time"

	"github.com/gospaces/gospaces/space/codec"
)

// EventOf is an Event with its entry as a Go value.
type EventOf[T any] struct {
	Type    EventType
	Seq     uint64
	Value   T        // not for Gap
	ID      LeaseID  // of the entry; not for Gap
	Version uint32   // of the entry; not for Gap
	Cause   GapCause // Gap only, as in Event
	Missed  uint64   // Gap only, as in Event
}

// Default leases, which are how long registrations outlive a dead program: one for Events, and one for Notify.
const (
	eventsLease = time.Minute
	notifyLease = 5 * time.Minute
)

// Notify registers for an event for every entry that matches template and is written from now on, or to which happens
// what On asks for, and returns when the registration is durable. The caller closes the registration. Its lease is five
// minutes and is renewed until then, so that it ends when the program does; with For it is what that says, and the
// caller renews it. Entry.Decode and Decode turn an event's entry into a Go value.
//
// Under a transaction (In) what is written under it is an event at once, and what others write is one, too. The
// registration ends with the transaction.
func Notify[T any](ctx context.Context, sp Space, template T, opts ...NotifyOption) (Registration, error) {
	_, reg, kept, err := notify(ctx, sp, &template, notifyLease, opts)
	if err != nil || !kept {
		return reg, err
	}
	return keepRegistration(reg, notifyLease), nil
}

// Events registers as Notify does when the iteration begins, and yields the events from then on, in order, each once,
// with Gap events for those that are lost. It renews the registration's lease while it runs, and cancels it in the end.
// The iteration ends, with an error, when ctx does. Without For the lease is one minute.
//
// An entry that T cannot hold is yielded as an *UnusableEntryError along with the event's number, and the iteration
// goes on. Any other error is the last thing yielded.
func Events[T any](ctx context.Context, sp Space, template T, opts ...NotifyOption) iter.Seq2[EventOf[T], error] {
	return func(yield func(EventOf[T], error) bool) {
		template := template
		known, reg, _, err := notify(ctx, sp, &template, eventsLease, opts)
		if err != nil {
			yield(EventOf[T]{}, err)
			return
		}
		defer reg.Close()
		keeper := KeepAlive(ctx, reg.Lease().Granted(), reg.Lease())
		defer keeper.Stop()
		for {
			e, err := reg.Next(ctx)
			if err != nil {
				yield(EventOf[T]{}, err)
				return
			}
			if !yield(typed[T](known, &e)) {
				return
			}
		}
	}
}

// notify registers with the lease that For asks for, or else with lease; one under a transaction, which bounds it,
// Forever. kept reports that it was lease.
func notify[T any](
	ctx context.Context, sp Space, template *T, lease time.Duration, opts []NotifyOption,
) (known *codec.Codec, reg Registration, kept bool, err error) {
	known, c, err := begin[T](sp, opts)
	if err != nil {
		return nil, nil, false, err
	}
	defer c.free()
	q, err := c.query(ctx, sp, known, template)
	if err != nil {
		return nil, nil, false, err
	}
	kept = !c.leased && c.txn == nil
	if c.txn != nil {
		lease = Forever
	}
	reg, err = sp.Notify(ctx, q, c.on, c.leaseOr(lease))
	return known, reg, kept, err
}

func typed[T any](known *codec.Codec, e *Event) (EventOf[T], error) {
	t := EventOf[T]{Type: e.Type, Seq: e.Seq, ID: e.Entry.ID, Version: e.Entry.Version, Cause: e.Cause, Missed: e.Missed}
	if e.Type == Gap {
		return t, nil
	}
	err := decode(known, &e.Entry, &t.Value)
	return t, err
}
