package local

import (
	"context"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/txn"
)

// Outcome implements space.Space.
func (s *Space) Outcome(ctx context.Context, id space.CallID) (space.Verdict, error) {
	if id.Number == 0 {
		return space.Verdict{}, errNoCall
	}
	if home, _ := s.Home(txn.ID{Space: id.Space, Number: id.Number}); home != space.Space(s) {
		return home.Outcome(ctx, id)
	}
	if id.Space != "" && id.Space != s.name {
		return space.Verdict{}, invalid("call %v was made in another space, with which this one has nothing to do", id)
	}
	c, err := s.caller(ctx)
	if err != nil {
		return space.Verdict{}, err
	}
	defer s.release(c)
	if id.Session == 0 {
		s.partition.TxnFate(c, c.next(), id.Number)
	} else {
		s.partition.CallFate(c, c.next(), call.Request{Session: id.Session, Number: id.Number})
	}
	if err := c.await(); err != nil {
		return space.Verdict{}, err
	}
	return space.Verdict{
		Fate: space.Fate(c.out.fate), Entries: s.entries(c), Grants: c.out.leases(),
		Version: c.out.version,
	}, nil
}

var errNoCall = invalid("no call is named")
