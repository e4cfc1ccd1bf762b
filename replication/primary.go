package replication

import "github.com/gospaces/gospaces/internal/record"

// Primary is the writer of a log, according to its last claim or resignation.
type Primary struct {
	Since uint64 // position of the claim, which is the epoch, or of the resignation; 0: neither is known
	Store string // name of who has claimed the log: Store.ID, or that of a replica; "" if it has resigned since
	Heir  string // name of who the one that has resigned wants to claim the log next; "" if it named none
}

// Primary returns the writer of the log, as far as this process has read the log.
func (l *Log) Primary() Primary {
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	return l.primary
}

// learn records a claim, or a resignation with an effect.
func (l *Log) learn(m message) {
	h, body, err := record.Split(m.data)
	if err != nil {
		return
	}
	p := Primary{Since: m.pos}
	if h.Type == record.Resign {
		p.Heir = string(body)
	} else {
		_, p.Store, _ = claimOf(m.data)
	}
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	if p.Since > l.primary.Since {
		l.primary = p
	}
}
