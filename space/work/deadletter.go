package work

import (
	"context"
	"errors"
	"time"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/template"
)

// DeadLetter is the entry that Run leaves in the place of a job that it has given up. It stays until it is taken;
// Revive makes it a job again. Config.DeadLetter can replace it by another entry.
type DeadLetter struct {
	Job      space.LeaseID // the entry that was the job
	JobKind  string        // its kind
	Attempts int           // how often it has failed
	Reason   string        // the error of the last attempt
	Fields   string        // of the entry, as a JSON object; "" if the letter would be too large with them
	Row      []byte        // the entry as the space stores it
	Died     time.Time
}

// Kind returns "gospaces_dead_letter", the kind of dead letters in every space.
func (DeadLetter) Kind() string { return "gospaces_dead_letter" }

// newDeadLetter returns the letter for an entry whose last attempt failed with err.
func newDeadLetter(e *space.Entry, err error) DeadLetter {
	attempts := int(e.Attempts) + 1
	if _, died := errors.AsType[*WorkerDiedError](err); died {
		attempts-- // the space has counted that one
	}
	return DeadLetter{
		Job: e.ID, JobKind: e.Kind(), Attempts: attempts, Reason: err.Error(),
		Fields: string(template.AppendJSON(nil, e.Schema, e.Row)), Row: e.Row, Died: time.Now().UTC(),
	}
}

// reviveAtOnce is how many dead letters Revive handles in one transaction.
const reviveAtOnce = 100

// Revive turns up to max dead letters that match template now back into jobs (0: all of them), oldest first, and
// returns their number. The jobs are new entries, leased space.Forever, without failed attempts. No letter is lost or
// revived twice: if Revive returns an error, the letters that it has not counted are unchanged. It does not wait for
// letters that other transactions hold, or that are written later: if there are none it returns 0. It returns
// space.ErrInvalidArgument for a negative max, and the errors of space.TakeAll and space.Txn.Commit.
func Revive(
	ctx context.Context, sp space.Space, template DeadLetter, max int, find ...space.SelectOption,
) (int, error) {
	if max < 0 {
		return 0, invalid("max %d is negative", max)
	}
	letters, err := space.Prepare(ctx, sp, template, readOptions(find)...)
	if err != nil {
		return 0, err
	}
	q := letters.Query()
	all := q
	all.Order = nil
	dead, err := sp.Count(ctx, all) // letters that come later do not count, so Revive ends
	if err != nil {
		return 0, err
	}
	if max > 0 {
		dead = min(dead, max)
	}
	revived := 0
	for revived < dead {
		q.Max = min(dead-revived, reviveAtOnce)
		n, err := reviveSome(ctx, sp, q)
		if errors.Is(err, space.ErrNoMatch) {
			break // others have taken them
		}
		if err != nil {
			return revived, err
		}
		revived += n
	}
	return revived, nil
}

// reviveSome revives the letters that q finds, all or none. It returns ErrNoMatch if it finds none.
func reviveSome(ctx context.Context, sp space.Space, q space.Query) (n int, err error) {
	t, err := space.Begin(ctx, sp)
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			_ = t.Abort(context.WithoutCancel(ctx)) // if it fails the transaction ends with its lease
		}
	}()
	q.Txn, q.NoWait = t.ID(), true
	found, err := sp.Take(ctx, q)
	if err != nil {
		return 0, err
	}
	jobs := make([]space.Draft, len(found))
	for i, e := range found {
		letter, err := space.Decode[DeadLetter](e)
		if err != nil {
			return 0, err
		}
		jobs[i] = space.Draft{Kind: letter.JobKind, Row: letter.Row, Lease: space.Forever}
	}
	if _, err := sp.Commit(ctx, t.ID(), jobs); err != nil {
		return 0, err
	}
	return len(found), nil
}
