package impl

import (
	"errors"
	"fmt"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/space"
)

// Cut reports whether a read or a take, one call of which has returned entries, may have left out others for their
// number or their size.
func Cut(entries []space.Entry) bool {
	size := 0
	for i := range entries {
		size += len(entries[i].Row)
	}
	return len(entries) >= call.MaxFind || size >= call.AnswerBytes
}

// Page returns how many entries Contents fetches at a time. Under a transaction that is one: exactly what is yielded is
// locked. A page of what is held costs a walk over all that is held, so these are large.
func Page(q *space.Query) int {
	switch {
	case !q.Txn.IsZero():
		return 1
	case q.Held:
		return call.MaxFind
	}
	return 256
}

// Rest goes on with a read or a take for q.Max entries, the first call of which has returned entries that are Cut; find
// makes one call more. It returns all that was taken, with the error of the call that failed, if one did. A read is not
// repeated, because its entries are those of one instant: Rest returns them with ErrTooLarge.
func Rest(
	q space.Query, take bool, entries []space.Entry, find func(space.Query) ([]space.Entry, error),
) ([]space.Entry, error) {
	if !take {
		return entries,
			fmt.Errorf("%w: there may be more than the %d entries that one read returns (%d, or %d MiB): iterate over Contents",
				space.ErrTooLarge, len(entries), call.MaxFind, call.AnswerBytes>>20)
	}
	q.Wait, q.NoWait = 0, true
	for last := entries; Cut(last) && len(entries) < q.Max; {
		part := q
		part.Max = q.Max - len(entries)
		more, err := find(part)
		switch entries = append(entries, more...); {
		case errors.Is(err, space.ErrNoMatch):
			return entries, nil
		case err != nil:
			return entries, err
		}
		last = more
	}
	return entries, nil
}
