package client

import (
	"context"

	"github.com/gospaces/gospaces/internal/wire"
)

// Snapshot makes the server take a snapshot of the space now, and returns the position in the log of the last change
// that it includes. It blocks until the snapshot is on the disk. It returns space.ErrInvalidArgument if the server
// keeps no log.
func (s *part) Snapshot(ctx context.Context) (position uint64, err error) {
	c := newCall(s, wire.Snapshot)
	defer c.free()
	r, err := c.do(ctx)
	return r.Seq, err
}
