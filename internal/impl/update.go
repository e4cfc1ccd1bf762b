package impl

import (
	"context"
	"errors"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// Reader is the part of space.Space with which Update waits.
type Reader interface {
	Read(ctx context.Context, q space.Query) ([]space.Entry, error)
}

// Update makes an update of an entry, which fails with ErrLocked while others have that locked, again when the locks
// are gone, if it is one under a transaction.
func Update(
	ctx context.Context, sp Reader, under txn.ID, id space.LeaseID, update func() (uint32, error),
) (uint32, error) {
	for {
		version, err := update()
		if under.IsZero() || !errors.Is(err, space.ErrLocked) {
			return version, err
		}
		q := space.Query{Templates: []*template.Template{{}}, ID: id, Txn: under, Claim: true}
		if _, err := sp.Read(ctx, q); err != nil {
			return 0, err
		}
	}
}
