package writeback

import (
	"context"

	"github.com/gospaces/gospaces/internal/record"
)

// Source is the log of one partition, for its readers.
type Source interface {
	// Incarnation identifies the log: positions of different incarnations are unrelated.
	Incarnation() string

	// Last returns the position of the last message of the log, or 0.
	Last() uint64

	// Follow calls fn with every group after a position, including future ones, until ctx ends or fn returns an error, and
	// returns the cause. A message without effect comes as a group without records, so that Last is reached.
	Follow(ctx context.Context, after uint64, fn func(record.Group) error) error
}

// Verifier is a Source of a log that another process may have continued without the knowledge of this one.
type Verifier interface {
	Source

	// Verify returns nil once it is certain that this process is the one that writes the log, so that Last was its end at
	// some moment of the call; otherwise why that is not so, or not certain. It returns the cause of ctx's end.
	Verify(ctx context.Context) error
}

// Imager is a Source that can provide the space at one moment. The mirror needs that when the log no longer reaches
// back to its position, or when tables have lost rows and the log no longer reaches back to its beginning.
type Imager interface {
	Source

	// First returns the position of the first message in the log; Last()+1 if it is empty.
	First() uint64

	// Image calls fn with groups whose records, including Kind and Entry, rebuild the state at one position of the log.
	// That position is the Position of each group; there is at least one. Image returns the cause of ctx's end, fn's
	// error, or an error of the image.
	Image(ctx context.Context, fn func(record.Group) error) error
}

// Sizer is a Source that knows its size, for Stats.
type Sizer interface {
	Source

	// Behind returns the approximate size of the messages after a position, in bytes.
	Behind(position uint64) int64
}
