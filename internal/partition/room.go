package partition

import (
	"fmt"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/engine"
	"github.com/gospaces/gospaces/template"
)

// Bounds limit what a partition holds. A call that would exceed them is refused with call.ErrSpaceFull and changes
// nothing; 0 means no limit.
type Bounds struct {
	Waiting       int   // waiting calls
	Registrations int   // including those under transactions
	Txns          int   // open transactions
	Kinds         int   // kinds of entries
	KindEntries   int   // entries of one kind
	KindBytes     int64 // of the rows of one kind
}

// full returns the error for a limit that is reached.
func full(what string, bound int64, setting string) error {
	return fmt.Errorf("%w: there are %s, as many as --%s allows (%d)", call.ErrSpaceFull, what, setting, bound)
}

// reached reports whether have plus more exceeds bound.
func reached(have, more, bound int) bool { return bound > 0 && have+more > bound }

// Crowd makes calls that store more fail with err, because another process with a replica is short of memory;
// Crowd(nil) lifts that. err wraps call.ErrSpaceFull.
func (p *Partition) Crowd(err error) {
	if err == nil {
		p.crowd.Store(nil)
	} else {
		p.crowd.Store(&err)
	}
}

// isScarce reports whether memory is scarce, here or where another replica is.
func (p *Partition) isScarce() bool { return p.cfg.Budget.Scarce() || p.crowd.Load() != nil }

// noRoom returns the error of calls that would store more while memory is scarce.
func (p *Partition) noRoom() error {
	if err := p.crowd.Load(); err != nil && !p.cfg.Budget.Scarce() {
		return *err
	}
	return p.cfg.Budget.Refuse(call.ErrSpaceFull)
}

// roomFor returns the error if drafts cannot be stored because memory is scarce, or one of their kinds is full. The
// lock is held.
func (p *Partition) roomFor(drafts []call.Draft) error {
	if p.isScarce() && !p.e.Fits(drafts) {
		return p.noRoom()
	}
	if p.cfg.Bounds.KindEntries > 0 || p.cfg.Bounds.KindBytes > 0 {
		return p.roomInKinds(drafts)
	}
	return nil
}

// roomInKinds returns the error for the first of the drafts' kinds that is full, or nil.
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
			return full(fmt.Sprintf("%d entries of kind %q", use.Entries, p.e.Schema(k).Kind), int64(bound.KindEntries),
				"max-kind-entries")
		case bound.KindBytes > 0 && int64(use.Bytes+m.Bytes) > bound.KindBytes:
			return full(fmt.Sprintf("%d bytes of kind %q", use.Bytes, p.e.Schema(k).Kind), bound.KindBytes, "max-kind-bytes")
		}
	}
	return nil
}

// roomForCommit returns the error if the drafts of a commit cannot be stored. They have more room than others, since
// the entries that the transaction has taken are removed.
func (p *Partition) roomForCommit(drafts []call.Draft) error {
	if b := p.cfg.Budget; len(drafts) > 0 && b.Full() {
		return b.Refuse(call.ErrSpaceFull)
	}
	return nil
}

// roomForKind returns the error if a new kind cannot be registered.
func (p *Partition) roomForKind(s *template.Schema) error {
	switch n := p.e.NumKinds(); {
	case p.e.Knows(s.Kind):
		return nil
	case reached(n, 1, p.cfg.Bounds.Kinds):
		return full(fmt.Sprintf("%d kinds", n), int64(p.cfg.Bounds.Kinds), "max-kinds")
	case p.isScarce():
		return p.noRoom()
	}
	return nil
}

// roomForRegistration returns the error if a registration cannot be made.
func (p *Partition) roomForRegistration() error {
	switch n := p.e.NumRegistrations(); {
	case reached(n, 1, p.cfg.Bounds.Registrations):
		return full(fmt.Sprintf("%d registrations", n), int64(p.cfg.Bounds.Registrations), "max-registrations")
	case p.isScarce():
		return p.noRoom()
	}
	return nil
}

// roomForTxns returns the error if n transactions cannot begin.
func (p *Partition) roomForTxns(n int) error {
	if open := p.e.Transactions(); reached(open, n, p.cfg.Bounds.Txns) {
		return full(fmt.Sprintf("%d transactions", open), int64(p.cfg.Bounds.Txns), "max-open-txns")
	}
	return nil
}

// settle charges the partition's memory.
func (p *Partition) settle() {
	p.charged = p.cfg.Budget.Settle(p.charged, p.e.Memory()+int64(p.commits.bytes)+int64(p.events.memory()))
}

// scarceEventBytes limits the rows of events kept in memory for a registration while memory is scarce.
const scarceEventBytes = 64 << 10
