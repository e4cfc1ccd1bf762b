package partition

import (
	"slices"
	"time"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/txn"
)

// attachment is the users of an engine's session, which survives them for a while. Guarded by Partition.mu.
type attachment struct {
	users int
	ends  time.Time // when the wait for a user is over; zero while there are users
}

// OpenSession returns the number of a client's session, for call.Request, and begins one if the client has none. before
// is the number that the client was last given, or 0; lost reports that the outcomes of that session's calls are no
// longer known. No more calls may be made for an earlier OpenSession of the same client. CloseSession must follow. It
// fails with call.ErrClosed or, after Discard, call.ErrDropped.
func (p *Partition) OpenSession(client call.Client, before uint64) (session uint64, lost bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.e
	if p.old != nil {
		e = p.old // the rebuilt engine will take over its sessions
	}
	if p.old == nil && p.role != primary && p.role != readOnly {
		return 0, false, p.refusal()
	}
	session, lost = e.OpenSession(client, before)
	a := p.attachments[session]
	if a == nil {
		a = new(attachment)
		p.attachments[session] = a
	}
	a.users++
	a.ends = time.Time{}
	return session, lost, nil
}

// CloseSession ends the use of a session. goodbye means that its client will not ask for outcomes; otherwise the
// session waits for the client to come back, for Config.SessionGrace, and its transactions for Config.TxnGrace.
func (p *Partition) CloseSession(session uint64, goodbye bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.attachments[session]
	if a == nil {
		return
	}
	if a.users--; a.users > 0 {
		return
	}
	if goodbye && p.err == nil {
		p.endSession(session, true)
	} else {
		p.abandon(session, a)
	}
}

// endSession ends a session after its transactions: in steps if there are many.
func (p *Partition) endSession(session uint64, goodbye bool) {
	delete(p.attachments, session)
	p.startDeparting(&departure{session: session, goodbye: goodbye})
}

// departure is the current end of a session, or only of its transactions.
type departure struct {
	session uint64
	of      *attachment // of the session, if it continues without its transactions
	goodbye bool
	open    []call.OpenTxn // its remaining transactions
}

func (d *departure) sort() { slices.SortFunc(d.open, call.OpenTxn.Compare) }

// startDeparting takes the first step, or starts a goroutine for all of them if there are many.
func (p *Partition) startDeparting(d *departure) {
	d.open = p.e.TxnsOf(d.session)
	if len(d.open) <= departureStep/departureTxn {
		d.sort()
		if p.depart(d) {
			return
		}
	}
	p.done.Go(func() {
		d.sort()
		p.goOnDeparting(d)
	})
}

// A step of a departure ends about departureStep entries; a transaction counts as departureTxn.
const departureStep, departureTxn = 1 << 11, 4

// depart takes a step, and reports whether it was the last. The lock is held. The last transactions end first, so that
// each entry finds its old neighbours in place.
func (p *Partition) depart(d *departure) (done bool) {
	for n := 0; len(d.open) > 0; {
		if n >= departureStep {
			return false
		}
		last := len(d.open) - 1
		id := txn.ID{Number: d.open[last].Number}
		d.open = d.open[:last]
		entries, _ := p.e.RoomToWrite(id, nil)
		n += departureTxn + entries
		if d.goodbye {
			p.e.Abort(p.clock.now(), id)
		} else {
			p.e.Lose(p.clock.now(), id.Number)
		}
		p.finish()
	}
	if d.of == nil {
		p.e.EndSession(p.clock.now(), d.session, d.goodbye)
		p.finish()
	}
	return true
}

// goOnDeparting takes the other steps, unless the client comes back or the log fails meanwhile: then the session
// continues, with the remaining transactions.
func (p *Partition) goOnDeparting(d *departure) {
	var pace pace
	for done := false; !done; {
		p.mu.Lock()
		began := time.Now()
		switch {
		case p.attachments[d.session] != d.of || d.of != nil && d.of.users > 0:
			done = true
		case p.err != nil: // another time
			if d.of == nil {
				d.of = new(attachment)
				p.attachments[d.session] = d.of
			}
			p.abandon(d.session, d.of)
			done = true
		default:
			done = p.depart(d)
		}
		held := time.Since(began)
		p.mu.Unlock()
		pace.rest(held)
	}
}

// expectSessions waits for the clients of all sessions that the log knows.
func (p *Partition) expectSessions() {
	for _, session := range p.e.Sessions() {
		if p.attachments[session] == nil {
			a := new(attachment)
			p.attachments[session] = a
			p.abandon(session, a)
		}
	}
}

// leaveSessions forgets the users of the sessions: another partition serves them.
func (p *Partition) leaveSessions() {
	p.away.stop()
	clear(p.attachments)
}

// EndUnowned ends transactions without a session that the log has kept: their clients were in a process that has ended.
// It is called once, after Start, before there are new ones. It does nothing while the partition cannot write.
func (p *Partition) EndUnowned() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.attachments[0] = new(attachment)
		p.startDeparting(&departure{of: p.attachments[0]})
	}
}

// Logged reports whether the partition has a log, so that outcomes may be delivered before they are durable.
func (p *Partition) Logged() bool { return p.cfg.Log != nil }

// Received tells the partition that the client of a session has all outcomes up to lsn, so that they need not be kept.
func (p *Partition) Received(session uint64, lsn LSN) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.e.Received(p.clock.now(), session, uint64(lsn))
		p.finish()
	}
}

// Recall replies to a repeated call with its outcome, which may be call.ErrOutcomeUnknown. If there is none, Recall
// returns false without a reply: the call must be executed. It fails, also without a reply, while the outcome cannot be
// known.
func (p *Partition) Recall(c Caller, callID uint64, by call.Request) (had bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return false, p.refusal()
	}
	p.result, had = p.e.Recall(p.clock.now(), by)
	if had {
		p.reply(c, callID, &p.result)
	}
	p.finish()
	return had, nil
}
