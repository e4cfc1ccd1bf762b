package crash

import (
	"time"

	"github.com/gospaces/gospaces/spacetest/history"
)

// registration is the events of one registration of a listener.
type registration struct {
	made     time.Duration
	start    uint64
	seqs     []uint64
	jobs     []int
	missed   uint64
	complete bool // it has received the sentinel
}

// registrations groups the events in a journal by registration.
func registrations(all []told) map[int]*registration {
	regs := map[int]*registration{}
	for _, t := range all {
		r := regs[t.Registration]
		switch {
		case r == nil:
			regs[t.Registration] = &registration{made: t.Registered, start: t.Seq}
		case t.Missed > 0:
			r.missed += t.Missed
		case !t.Ended:
			r.seqs, r.jobs = append(r.seqs, t.Seq), append(r.jobs, t.N)
			r.complete = r.complete || t.N == sentinel
		}
	}
	return regs
}

// judgeTold judges the events of a listener about jobs written in a round: each registration gets one event for every
// job written after it was made, with consecutive numbers up to its last event, and no others.
func judgeTold(all []told, calls []history.Op) []error {
	var v violations
	for number, r := range registrations(all) {
		if r.missed > 0 {
			v.add("gap", "registration %d: %d events are lost, though the log holds them", number, r.missed)
			continue
		}
		for i, seq := range r.seqs {
			if want := r.start + 1 + uint64(i); seq != want {
				v.add("dense", "registration %d: event %d comes instead of %d", number, seq, want)
				break
			}
		}
		r.judge(&v, number, calls)
	}
	return v.errors
}

func (r *registration) judge(v *violations, number int, calls []history.Op) {
	heard := map[int]bool{}
	for _, n := range r.jobs {
		if heard[n] {
			v.add("twice", "registration %d: told of job %d twice", number, n)
		}
		heard[n] = true
	}
	delete(heard, sentinel)
	for _, o := range calls {
		for _, i := range o.Items {
			switch {
			case heard[i.N] && o.Outcome == history.Refused:
				v.add("never", "registration %d: told of job %d, whose write was refused: %v", number, i.N, o)
			case !heard[i.N] && r.complete && o.Outcome == history.OK && o.Call > r.made:
				v.add("missed", "registration %d: not told of job %d: %v", number, i.N, o)
			}
			delete(heard, i.N)
		}
	}
	for n := range heard {
		v.add("invented", "registration %d: told of job %d, which was not written in this round", number, n)
	}
}

// sentinel is the number of the last job written. A listener ends when it receives its event.
const sentinel = -1
