package client

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/gospaces/gospaces/internal/impl"
	"github.com/gospaces/gospaces/space"
)

// Notify implements space.Space with a registration in each partition. Its events are those of all, in the order in
// which they arrive, with numbers of its own; those of one partition are in order.
func (v *several) Notify(
	ctx context.Context, q space.Query, on space.EventSet, lease time.Duration,
) (space.Registration, error) {
	if err := impl.Check(&q, impl.Notify); err != nil {
		return nil, err
	}
	targets, err := v.targets(ctx, &q)
	if err != nil {
		return nil, err
	}
	wake := make(chan struct{}, 1)
	regs := make([]*registration, len(targets))
	sent := time.Now()
	err = each(targets, func(i int, p *part) (err error) {
		regs[i], err = p.notify(ctx, q, on, lease, wake)
		return err
	})
	m := &mergedRegistration{regs: slices.DeleteFunc(regs, func(r *registration) bool { return r == nil }), wake: wake}
	if err != nil {
		_ = m.Close() // the leases end what is left
		return nil, err
	}
	m.lease = space.Grant{ID: space.LeaseID(m.regs[0].id), Granted: m.granted()}.Lease(&joint{v.space, m.ids()}, sent)
	return m, nil
}

// mergedRegistration merges registrations in several partitions into one.
type mergedRegistration struct {
	regs  []*registration
	lease *space.Lease
	wake  chan struct{} // of all regs

	mu   sync.Mutex
	from int    // guarded by mu; the registration that is asked next
	seq  uint64 // guarded by mu; number of the last event
}

func (m *mergedRegistration) granted() time.Duration {
	return slices.MinFunc(m.regs, func(a, b *registration) int { return cmp.Compare(a.granted, b.granted) }).granted
}

func (m *mergedRegistration) ids() (ids []space.LeaseID) {
	for _, r := range m.regs {
		ids = append(ids, space.LeaseID(r.id))
	}
	return ids
}

// Lease implements space.Registration.
func (m *mergedRegistration) Lease() *space.Lease { return m.lease }

// Start implements space.Registration.
func (m *mergedRegistration) Start() uint64 { return 0 }

// Next implements space.Registration.
func (m *mergedRegistration) Next(ctx context.Context) (space.Event, error) {
	first := m.regs[0]
	for {
		if first.isClosed() {
			return space.Event{}, space.ErrClosed
		}
		if err := ctx.Err(); err != nil {
			return space.Event{}, err
		}
		if e, ok, err := m.pop(); ok {
			return e, err
		}
		select {
		case <-m.wake:
		case <-first.closed:
		case <-first.part.space.closed:
		case <-ctx.Done():
		}
	}
}

// pop returns the next event of any registration. The end of one is the end of all, once no events are left.
func (m *mergedRegistration) pop() (space.Event, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var ended error
	for i := range m.regs {
		e, ok, err := m.regs[(m.from+i)%len(m.regs)].pop()
		switch {
		case err != nil:
			ended = err
		case ok:
			m.from = (m.from + i + 1) % len(m.regs)
			m.seq += max(1, e.Missed)
			e.Seq = m.seq
			return e, true, nil
		}
	}
	return space.Event{}, ended != nil, ended
}

// Close implements space.Registration.
func (m *mergedRegistration) Close() error {
	errs := make([]error, len(m.regs))
	var closing sync.WaitGroup
	for i, r := range m.regs {
		closing.Go(func() { errs[i] = r.Close() })
	}
	closing.Wait()
	return errors.Join(errs...)
}

// joint is a space that renews and cancels a group of leases as one.
type joint struct {
	*Space
	ids []space.LeaseID
}

// Renew implements space.Space for the lease of the ids.
func (j *joint) Renew(ctx context.Context, lease time.Duration, _ ...space.LeaseID) ([]space.Grant, error) {
	grants, err := j.Space.Renew(ctx, lease, j.ids...)
	if err != nil {
		return nil, err
	}
	least := slices.MinFunc(grants, func(a, b space.Grant) int { return cmp.Compare(a.Granted, b.Granted) })
	return []space.Grant{{ID: j.ids[0], Granted: least.Granted}}, nil
}

// Cancel implements space.Space for the lease of the ids.
func (j *joint) Cancel(ctx context.Context, _ ...space.LeaseID) error {
	return j.Space.Cancel(ctx, j.ids...)
}

// Registrations implements caller.
func (v *several) Registrations(ctx context.Context) ([]RegistrationInfo, error) {
	lists := make([][]RegistrationInfo, len(v.parts))
	err := each(v.parts, func(i int, p *part) (err error) {
		lists[i], err = p.Registrations(ctx)
		return err
	})
	return slices.Concat(lists...), err
}
