package replication

import (
	"fmt"
	"slices"

	"github.com/gospaces/gospaces/internal/record"
)

// fold decides which messages of a log have an effect, in order. A claim begins an epoch, whose number is the claim's
// position; a commit has an effect if it is of the current epoch. A resignation ends the epoch and begins one without
// messages. So messages of a primary that was replaced, or has resigned, have no effect for any reader. The zero value
// stands before the first message.
type fold struct {
	epoch uint64
}

// next returns the group of a message and whether it has an effect; otherwise the group has no records. It returns
// ErrDamaged for a message that no primary can have written.
func (f *fold) next(m message) (g record.Group, ok bool, err error) {
	g = record.Group{Position: m.pos, Time: m.time}
	h, records, err := record.Split(m.data)
	switch {
	case err != nil:
		return g, false, fmt.Errorf("%w: position %d: %w", ErrDamaged, m.pos, err)
	case h.Type == record.Claim:
		f.epoch = m.pos
		g.Clock, g.Records, g.Claimed = h.Clock, claimRecords(h.Clock, records), true
		return g, len(g.Records) > 0, nil
	case h.Epoch == 0 || h.Epoch > f.epoch:
		return g, false, fmt.Errorf("%w: position %d: epoch %d was never claimed", ErrDamaged, m.pos, h.Epoch)
	case h.Epoch < f.epoch:
		return g, false, nil
	case h.Type == record.Resign:
		f.epoch, g.Clock, g.Resigned = m.pos, h.Clock, true
		return g, false, nil
	}
	g.Clock, g.Records = h.Clock, records
	return g, true, nil
}

// claims are the positions at which the epochs of a log begin. Readers that start in the middle need them.
type claims struct {
	at   []uint64 // positions of the claims and resignations up to upto, rising
	upto uint64
}

// skip records that positions from pos on, up to the next message at found, are lost.
func (c *claims) skip(pos, found uint64) {
	if pos == c.upto+1 {
		c.upto = found - 1
	}
}

// note records a message's position and whether an epoch begins there. It ignores positions that are known, or that
// would leave a gap.
func (c *claims) note(pos uint64, epoch bool) {
	if pos != c.upto+1 {
		return
	}
	c.upto = pos
	if epoch {
		c.at = append(c.at, pos)
	}
}

// epoch returns the epoch after position pos, if it is known.
func (c *claims) epoch(pos uint64) (epoch uint64, known bool) {
	if pos > c.upto {
		return 0, false
	}
	i, found := slices.BinarySearch(c.at, pos)
	if found {
		return pos, true
	}
	if i == 0 {
		return 0, true
	}
	return c.at[i-1], true
}
