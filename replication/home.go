package replication

import (
	"context"
	"time"

	"github.com/gospaces/gospaces/internal/record"
)

// home is where a log is kept: in files of this process (alone), or on several nodes that agree on each message
// (shared). The first can lose files; the second can be out of reach, and behind.
type home interface {
	writing
	reading
	keeping

	// watch is called several times a second once the log is registered as served, and with note about once a second.
	watch(note bool)
	// restarted is called when the server was restarted.
	restarted()
	// shut ends everything; Log.mu is held. stopped is called when the server has stopped after that.
	shut()
	stopped()
}

// writing is how a log takes messages. Log.mu is held during its calls.
type writing interface {
	// present returns why nothing may be written any more, or nil.
	present() error
	// admit returns why no message of n bytes may be appended, or nil.
	admit(n int) error
	// publish stores a message at the position after last, and returns its position.
	publish(ctx context.Context, msg []byte, last uint64) (uint64, error)
	// claimable returns how a claim that follows a position is to be made.
	claimable(ctx context.Context, follows uint64) (intent, error)
	// claimed is called when a claim is stored at a position.
	claimed(position uint64, as intent) error
}

// reading is what differs for readers.
type reading interface {
	// catchUp is Log.CatchUp.
	catchUp(ctx context.Context, after uint64, apply func(record.Group) error, progress func(done, total uint64)) (
		end uint64, err error)
	// reaches returns ErrPosition if it is known that what follows a position is not what its reader wants.
	reaches(ctx context.Context, after uint64) error
	// await returns when a position is worth reading. absent is called if it was not there, and returns an error if it
	// never will be.
	await(ctx context.Context, position uint64) error
	absent(ctx context.Context, position uint64) error
	// limit is how long a reader waits for one answer; 0: without a limit.
	limit() time.Duration
	// unanswered returns why reading on is pointless after an error of a connection to srv; served tells that the
	// connection has answered.
	unanswered(ctx context.Context, srv *embedded, served bool, err error) error
	// gap returns the error for a reader that finds a message after the expected one; nil if that is as it must be.
	gap(next uint64, found message) error
	// unproven returns the message that this process must see at a position to know that the log is the same one; the
	// zero value if there is none.
	unproven(position uint64) mark
	// learned is called when a claim or a resignation was read.
	learned(m message) error
}

// keeping is what differs for snapshots and for the messages that they contain.
type keeping interface {
	// ready makes sure that the snapshot after which the log goes on is there, if it needs one. usable reports whether
	// a snapshot at a position may be taken.
	ready(ctx context.Context) error
	usable(position uint64) bool
	// stamp returns the time at which the message at a position was stored, if snapshots are to record it, or 0.
	stamp(ctx context.Context, position uint64) (int64, error)
	// reach is called when a snapshot of a position is stored.
	reach(position uint64) error
	// purgeable returns the position before which messages can be removed, if those before another position are not
	// needed.
	purgeable(before uint64) uint64
	// purging calls fn, which removes messages.
	purging(fn func() error) error
}
