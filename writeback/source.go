package writeback

import (
	"context"

	"github.com/gospaces/gospaces/internal/record"
)

// Source is the log of one partition, as its readers see it.
type Source interface {
	// Incarnation names the log: positions of logs with different incarnations have nothing to do with each other.
	Incarnation() string

	// Last returns the position of the last message of the log, or 0.
	Last() uint64

	// Follow calls fn with every group after a position, those to come included, until ctx ends or fn returns an error,
	// and returns the cause. A message that does not count comes as a group without records, so that Last is reached.
	Follow(ctx context.Context, after uint64, fn func(record.Group) error) error
}

// Imager is a Source that can show its space at one moment. The mirror needs that when the log no longer reaches back to
// where it is, or when tables have lost something and the log no longer reaches back to its beginning.
type Imager interface {
	Source

	// First returns the position of the first message that the log still has; Last()+1 if it has none.
	First() uint64

	// Image calls fn with groups whose records, among them Kind and Entry, make the state at one position of the log. That is
	// the Position of each; there is at least one. It returns the cause of ctx's end, fn's error, or what is wrong with the image.
	Image(ctx context.Context, fn func(record.Group) error) error
}

// Sizer is a Source that knows its size, for Stats.
type Sizer interface {
	Source

	// Behind returns how many bytes of the log are in the messages after a position, about.
	Behind(position uint64) int64
}
