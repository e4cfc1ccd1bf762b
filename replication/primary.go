package replication

import "github.com/gospaces/gospaces/internal/record"

// Primary tells who writes a log, as its last claim or resignation does.
type Primary struct {
	Since uint64 // position of the claim, which is the epoch, or of the resignation; 0: neither is known
	Store string // name of who has claimed the log: Store.ID, or that of a replica; "" if it has resigned since
	Heir  string // name of who the one that has resigned wants to claim the log next; "" if it named none
}

// Primary returns who writes the log, as far as this process has read it.
func (l *Log) Primary() Primary {
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	return l.primary
}

// learn takes note of a claim, or of a resignation that counts.
func (l *Log) learn(m message) {
	h, body, err := record.Split(m.data)
	if err != nil {
		return
	}
	p := Primary{Since: m.pos}
	switch {
	case h.Type == record.Resign:
		p.Heir = string(body)
	case len(body) >= claimHead:
		p.Store = string(body[claimHead:])
	}
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	if p.Since > l.primary.Since {
		l.primary = p
	}
}
