package partition

import "time"

// absences are the sessions without users, with one timer: after a restart these are all sessions of the log, and they
// end at the same moment. Guarded by Partition.mu.
type absences struct {
	txns, sessions []absence // whose transactions end next, and which end next; in the order of time
	timer          *time.Timer
	rings          time.Time // when the timer fires; zero: it is stopped
}

// absence is the time for which a session waits for a user. It is void if the attachment waits until another time.
type absence struct {
	session uint64
	of      *attachment
	ends    time.Time
}

// set has fire called at the first end, unless the timer fires before.
func (as *absences) set(fire func()) {
	first := as.first()
	switch {
	case first == nil || !as.rings.IsZero() && !(*first)[0].ends.Before(as.rings):
		return
	case as.timer == nil:
		as.timer = time.AfterFunc(time.Until((*first)[0].ends), fire)
	default:
		as.timer.Reset(time.Until((*first)[0].ends))
	}
	as.rings = (*first)[0].ends
}

// first returns the list whose first absence ends first, or nil.
func (as *absences) first() *[]absence {
	switch {
	case len(as.txns) == 0 && len(as.sessions) == 0:
		return nil
	case len(as.sessions) == 0 || len(as.txns) > 0 && as.txns[0].ends.Before(as.sessions[0].ends):
		return &as.txns
	}
	return &as.sessions
}

// over removes and returns the next absence that has ended at now; false if there is none. last means that the session
// ends, and not just its transactions.
func (as *absences) over(now time.Time) (a absence, last, ok bool) {
	first := as.first()
	if first == nil || (*first)[0].ends.After(now) {
		return a, false, false
	}
	a = (*first)[0]
	*first = (*first)[1:]
	return a, first == &as.sessions, true
}

// stop forgets all absences.
func (as *absences) stop() {
	if as.timer != nil {
		as.timer.Stop()
	}
	*as = absences{timer: as.timer}
}

// abandon ends the transactions of a session without users after a while, and then the session.
func (p *Partition) abandon(session uint64, a *attachment) {
	if p.role == closed {
		return
	}
	a.ends = time.Now().Add(min(p.cfg.TxnGrace, p.cfg.SessionGrace))
	p.away.txns = append(p.away.txns, absence{session, a, a.ends})
	p.away.set(p.endAbsent)
}

// endAbsent ends the sessions whose time is over, and their transactions, in steps.
func (p *Partition) endAbsent() {
	var pace pace
	for {
		held, more := p.endSomeAbsent()
		if !more {
			return
		}
		pace.rest(held)
	}
}

// absentAtOnce is how long a step goes on to another session.
const absentAtOnce = 100 * time.Microsecond

// endSomeAbsent takes one step, and returns how long it held the lock; false if there is nothing more to end for now.
func (p *Partition) endSomeAbsent() (held time.Duration, more bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away.rings = time.Time{}
	began := time.Now()
	for held <= absentAtOnce {
		a, last, ok := p.away.over(began)
		if !ok {
			p.away.set(p.endAbsent)
			return 0, false
		}
		p.endAbsence(a, last)
		held = time.Since(began)
	}
	return held, true
}

// endAbsence does what is due once an absence is over.
func (p *Partition) endAbsence(a absence, last bool) {
	switch {
	case !a.of.ends.Equal(a.ends): // a user came meanwhile
	case p.err != nil:
		p.abandon(a.session, a.of) // the log decides
	case last:
		p.endSession(a.session, false)
	default:
		a.of.ends = a.ends.Add(max(0, p.cfg.SessionGrace-p.cfg.TxnGrace))
		p.away.sessions = append(p.away.sessions, absence{a.session, a.of, a.of.ends})
		p.startDeparting(&departure{session: a.session, of: a.of})
	}
}
