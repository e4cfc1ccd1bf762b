package space

import (
	"context"
	"errors"
	"time"

	"github.com/gospaces/gospaces/template"
)

// DeadLetter is what Work leaves in the space for a job that it has given up. It stays until it is taken; Revive
// makes it a job again. DeadLetters of Work has other entries written instead.
type DeadLetter struct {
	Job      LeaseID // the entry that was the job
	JobKind  string  // its kind
	Attempts int     // how often it has failed
	Reason   string  // the error of the last attempt
	Fields   string  // of the entry, as a JSON object; "" if the letter would have become too large with them
	Row      []byte  // the entry as the space stores it
	Died     time.Time
}

// DeadLetterKind is the kind of DeadLetter.
const DeadLetterKind = "gospaces_dead_letter"

// Kind names the kind of dead letters in every space.
func (DeadLetter) Kind() string { return DeadLetterKind }

// newDeadLetter returns the letter for an entry whose last attempt failed with err.
func newDeadLetter(e *Entry, err error) DeadLetter {
	attempts := int(e.Attempts) + 1
	if _, died := errors.AsType[*WorkerDiedError](err); died {
		attempts-- // the space has counted that one
	}
	return DeadLetter{
		Job: e.ID, JobKind: e.Kind(), Attempts: attempts, Reason: err.Error(),
		Fields: string(template.AppendJSON(nil, e.Schema, e.Row)), Row: e.Row, Died: time.Now().UTC(),
	}
}

// letterFor returns what makes a letter of type any of an entry and its dead letter, as the option DeadLetters says.
func letterFor[T any](codec *Codec, option any) (func(*Entry, DeadLetter) any, error) {
	if option == nil {
		return func(_ *Entry, d DeadLetter) any { return d }, nil
	}
	letter, ok := option.(func(T, DeadLetter) any)
	if !ok {
		return nil, invalid("the function of DeadLetters is for jobs of another type")
	}
	return func(e *Entry, d DeadLetter) any {
		var job T
		_ = codec.Decode(e, &job) // what cannot be decoded is zero, as promised
		return letter(job, d)
	}, nil
}

// reviveAtOnce is how many dead letters Revive handles in one transaction.
const reviveAtOnce = 100

// Revive makes jobs again of the dead letters that match template now, and returns how many they were. They are new
// entries, leased Forever, without failed attempts. No letter is lost, nor revived twice: when Revive returns an error
// those that it has not counted are still dead. Options: Where, OrderBy, Max.
func Revive(ctx context.Context, sp Space, letters DeadLetter, opts ...Option) (int, error) {
	_, q, err := query(ctx, sp, &letters, optWhere|optOrder|optMax, opts)
	if err != nil {
		return 0, err
	}
	all := q
	all.Order = nil
	dead, err := sp.Count(ctx, all) // those that come meanwhile are not its business, so that it ends
	if err != nil {
		return 0, err
	}
	if q.Max > 0 {
		dead = min(dead, q.Max)
	}
	revived := 0
	for revived < dead {
		q.Max = min(dead-revived, reviveAtOnce)
		n, err := reviveSome(ctx, sp, q)
		if errors.Is(err, ErrNoMatch) {
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
func reviveSome(ctx context.Context, sp Space, q Query) (n int, err error) {
	t, err := Begin(ctx, sp)
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
	jobs := make([]Draft, len(found))
	for i, e := range found {
		letter, err := Decode[DeadLetter](e)
		if err != nil {
			return 0, err
		}
		jobs[i] = Draft{Kind: letter.JobKind, Row: letter.Row, Lease: Forever}
	}
	if _, err := sp.Commit(ctx, t.ID(), jobs); err != nil {
		return 0, err
	}
	return len(found), nil
}
