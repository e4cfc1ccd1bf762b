package partition

import (
	"context"
	"slices"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/txn"
)

// Decide commits transaction number, which began here, together with its branches, which have prepared in other
// partitions, and stores drafts under it; the size of drafts was checked. It returns once that is durable; after an
// error it may or may not have happened, as for any call. All branches commit at one instant, before any caller can see
// what was committed here, except for those in partitions that do not serve, or that are not among the given ones of
// this process.
func (p *Partition) Decide(ctx context.Context, number uint64, by call.Request, drafts []call.Draft,
	at []txn.Address, here []*Partition,
) ([]call.Grant, error) {
	d := decision{
		p: p, id: txn.ID{Space: p.cfg.Address.Space, Number: number}, by: by, drafts: drafts, at: at,
		branches: slices.Clone(here),
	}
	slices.SortFunc(d.branches, byAddress)
	return d.take(ctx)
}

// decision is a call of Decide.
type decision struct {
	p        *Partition
	id       txn.ID
	by       call.Request
	drafts   []call.Draft
	at       []txn.Address
	branches []*Partition // those of this process, in the order of their locks
}

func (d *decision) take(ctx context.Context) (grants []call.Grant, err error) {
	w := newAwaiter(func(r *call.Result) { grants = slices.Clone(r.Grants) })
	if d.p.cfg.Log == nil {
		d.takeAtOnce(w)
	} else {
		d.takeLogged(w)
	}
	if err := w.wait(ctx); err != nil {
		return nil, err
	}
	return grants, nil
}

// takeLogged decides, and commits the branches once the log has the decision.
func (d *decision) takeLogged(w *awaiter) {
	d.p.do(w, 0, func(now int64) call.Result {
		r := d.decide(now)
		if r.Err == nil && len(d.branches) > 0 {
			b := d.p.commits.holding(LSN(r.Depends))
			b.stored = append(b.stored, func() { together(d.branches, d.commitBranch) })
		}
		return r
	})
}

// takeAtOnce decides without a log: the locks hide the decision until the branches are committed.
func (d *decision) takeAtOnce(w *awaiter) {
	all := append(slices.Clone(d.branches), d.p)
	slices.SortFunc(all, byAddress)
	together(all, func(p *Partition) {
		if p != d.p {
			return
		}
		if p.err != nil {
			w.Settle(p.refusal(), 0, true)
			return
		}
		r := d.decide(p.clock.now())
		if r.Err == nil {
			for _, b := range d.branches {
				d.commitBranch(b)
			}
		}
		w.Reply(0, &r, 0, true)
		p.finish()
	})
}

func (d *decision) decide(now int64) call.Result {
	return d.p.e.Decide(now, txn.ID{Number: d.id.Number}, d.by, d.drafts, d.at)
}

// commitBranch commits the branch in b, whose lock is held. The coordinator makes it durable.
func (d *decision) commitBranch(b *Partition) {
	if b.unreadable() == nil {
		b.e.CommitBranch(b.clock.now(), d.id)
		b.finish()
	}
}

// together calls f for each partition while the locks of all are held. The partitions must be in order, and distinct.
// Nothing else holds several locks.
func together(ps []*Partition, f func(p *Partition)) {
	for _, p := range ps {
		p.mu.Lock()
		defer p.mu.Unlock()
	}
	for _, p := range ps {
		f(p)
	}
}

func byAddress(a, b *Partition) int { return a.cfg.Address.Compare(b.cfg.Address) }
