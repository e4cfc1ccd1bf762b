package replication

import (
	"context"
	"time"

	"github.com/gospaces/gospaces/internal/record"
)

// home is where a log is kept, as far as that makes a difference: the files of this process (alone), or several nodes
// that agree on each message (shared). The first can lose files; the second can be out of reach, and behind.
type home interface {
	writing
	reading
	keeping

	// watch is called now and then, and with note about once a second, once the log is registered as served.
	watch(note bool)
	// restarted follows a restart of the server.
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
	// claimed follows the storing of a claim at a position.
	claimed(position uint64, as intent) error
}

// reading is what a reader meets.
type reading interface {
	// catchUp is Log.CatchUp.
	catchUp(ctx context.Context, after uint64, apply func(record.Group) error, progress func(done, total uint64)) (
		end uint64, err error)
	// reaches returns ErrPosition if it is known that what follows a position is not what its reader wants.
	reaches(ctx context.Context, after uint64) error
	// await returns when it is worth while to read a position, and absent follows if it was not there: it returns an error
	// if it never will be.
	await(ctx context.Context, position uint64) error
	absent(ctx context.Context, position uint64) error
	// limit is how long a reader waits for one answer; 0: without a limit.
	limit() time.Duration
	// unanswered returns why there is no sense in reading on after an error of a connection to srv; served tells that the
	// connection has answered.
	unanswered(ctx context.Context, srv *embedded, served bool, err error) error
	// gap returns the error for a reader that finds a message after the one that comes next; nil if that is as it must be.
	gap(next uint64, found message) error
	// unproven returns what is known of the message at a position from elsewhere, if this process must see it in the log
	// to know that the log is the one that it was; otherwise the zero value.
	unproven(position uint64) mark
	// learned follows the reading of a claim, or a resignation.
	learned(m message) error
}

// keeping is what becomes of the state, in snapshots, and of the messages that are in it.
type keeping interface {
	// ready makes sure that there is the snapshot that the log goes on after, if it needs one, and usable reports whether
	// the one at a position may be taken.
	ready(ctx context.Context) error
	usable(position uint64) bool
	// stamp returns the time at which the message at a position was stored, if snapshots are to tell it, or 0.
	stamp(ctx context.Context, position uint64) (int64, error)
	// reach follows the storing of a snapshot of a position.
	reach(position uint64) error
	// purgeable returns before which position messages can be removed, if those before another position are not needed.
	purgeable(before uint64) uint64
	// purging calls fn, which removes messages.
	purging(fn func() error) error
}
