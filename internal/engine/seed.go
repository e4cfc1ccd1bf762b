package engine

import (
	"fmt"

	"github.com/gospaces/gospaces/internal/record"
)

// Seed turns an image into a seed: the records with which the log of a restored space begins. An engine that applies
// them, in any number of groups, becomes what the image shows, but for what belongs to clients: the restored space is a
// new one to them. So a seed has no sessions, outcomes and registrations, and what transactions held is free.
type Seed struct {
	left uint64 // records of the image that were left out, of those that its end counts
}

// Add appends to dst what a seed has of some whole records of the image. It returns an error that wraps
// record.ErrCorrupt.
func (s *Seed) Add(dst, records []byte) ([]byte, error) {
	var r record.Record
	for len(records) > 0 {
		rest, err := record.Next(records, &r)
		if err != nil {
			return dst, err
		}
		switch r.Op {
		case record.Session, record.Outcome, record.Listener:
			s.left++
		case record.Hold, record.Unread:
		case record.Ended:
			dst = record.AppendEnded(dst, r.Count-s.left)
		default:
			dst = append(dst, records[:len(records)-len(rest)]...)
		}
		records = rest
	}
	return dst, nil
}

// applySeed applies one record of a seed, whose bytes are raw. The entries are in no pool before the last one.
func (e *Engine) applySeed(r *record.Record, raw []byte) error {
	if e.seed == nil {
		if len(e.kinds) > 0 || e.store.Len() > 0 {
			return fmt.Errorf("%w: the space is not empty", errPlace)
		}
		e.seed = e.Load()
	}
	if err := e.seed.add(r, raw); err != nil || !e.seed.ended {
		return err
	}
	l := e.seed
	e.seed = nil
	err := l.Finish()
	e.store.Following = true // which applying the last records has ended
	return err
}
