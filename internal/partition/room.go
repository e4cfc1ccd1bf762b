package partition

import (
	"fmt"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/engine"
	"github.com/gospaces/gospaces/template"
)

// Bounds are how much a partition may hold. What would exceed them is refused with call.ErrSpaceFull and changes
// nothing; 0 is no bound.
type Bounds struct {
	Waiting       int   // calls that wait
	Registrations int   // that are not under transactions too
	Txns          int   // open transactions
	Kinds         int   // kinds of entries
	KindEntries   int   // entries of one kind
	KindBytes     int64 // of the rows of one kind
}

// full returns an error that says what there is as many of as may be.
func full(what string, bound int64, setting string) error {
	return fmt.Errorf("%w: there are %s, as many as --%s allows (%d)", call.ErrSpaceFull, what, setting, bound)
}

// reached reports whether there is no room for n more beside the n that there are.
func reached(have, more, bound int) bool { return bound > 0 && have+more > bound }

// roomFor returns why drafts are not stored: memory is scarce, or one of their kinds is full; nil if they are. The lock is held.
func (p *Partition) roomFor(drafts []call.Draft) error {
	if b := p.cfg.Budget; b.Scarce() && !p.e.Fits(drafts) {
		return b.Refuse(call.ErrSpaceFull)
	}
	if p.cfg.Bounds.KindEntries > 0 || p.cfg.Bounds.KindBytes > 0 {
		return p.roomInKinds(drafts)
	}
	return nil
}

// roomInKinds returns which of the drafts' kinds is full, or nil.
func (p *Partition) roomInKinds(drafts []call.Draft) error {
	more := map[call.KindID]engine.Use{}
	for i := range drafts {
		u := more[drafts[i].Kind]
		u.Entries++
		u.Bytes += len(drafts[i].Row)
		more[drafts[i].Kind] = u
	}
	for i := range drafts { // not in the order of the map
		k := drafts[i].Kind
		use, m, bound := p.e.Use(k), more[k], &p.cfg.Bounds
		switch {
		case reached(use.Entries, m.Entries, bound.KindEntries):
			return full(fmt.Sprintf("%d entries of kind %q", use.Entries, p.e.Schema(k).Kind), int64(bound.KindEntries), "max-kind-entries")
		case bound.KindBytes > 0 && int64(use.Bytes+m.Bytes) > bound.KindBytes:
			return full(fmt.Sprintf("%d bytes of kind %q", use.Bytes, p.e.Schema(k).Kind), bound.KindBytes, "max-kind-bytes")
		}
	}
	return nil
}

// roomForCommit returns why the drafts of a commit are not stored: there is room for them for longer than for others, since what the transaction has taken goes.
func (p *Partition) roomForCommit(drafts []call.Draft) error {
	if b := p.cfg.Budget; len(drafts) > 0 && b.Full() {
		return b.Refuse(call.ErrSpaceFull)
	}
	return nil
}

// roomForKind returns why a kind that is not known is not registered.
func (p *Partition) roomForKind(s *template.Schema) error {
	switch n := p.e.NumKinds(); {
	case p.e.Knows(s.Kind):
		return nil
	case reached(n, 1, p.cfg.Bounds.Kinds):
		return full(fmt.Sprintf("%d kinds", n), int64(p.cfg.Bounds.Kinds), "max-kinds")
	case p.cfg.Budget.Scarce():
		return p.cfg.Budget.Refuse(call.ErrSpaceFull)
	}
	return nil
}

// roomForRegistration returns why a registration is not made.
func (p *Partition) roomForRegistration() error {
	switch n := p.e.NumRegistrations(); {
	case reached(n, 1, p.cfg.Bounds.Registrations):
		return full(fmt.Sprintf("%d registrations", n), int64(p.cfg.Bounds.Registrations), "max-registrations")
	case p.cfg.Budget.Scarce():
		return p.cfg.Budget.Refuse(call.ErrSpaceFull)
	}
	return nil
}

// roomForTxns returns why n transactions do not begin.
func (p *Partition) roomForTxns(n int) error {
	if open := p.e.Transactions(); reached(open, n, p.cfg.Bounds.Txns) {
		return full(fmt.Sprintf("%d transactions", open), int64(p.cfg.Bounds.Txns), "max-txns")
	}
	return nil
}

// settle charges what the partition holds.
func (p *Partition) settle() {
	p.charged = p.cfg.Budget.Settle(p.charged, p.e.Memory()+int64(p.commits.bytes)+int64(p.eventBytes))
}

// scarceEventBytes bounds the rows of events that are kept in memory for a registration while memory is scarce.
const scarceEventBytes = 64 << 10
