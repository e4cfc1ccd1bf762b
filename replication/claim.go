package replication

import (
	"encoding/binary"
	"fmt"

	"github.com/gospaces/gospaces/internal/record"
)

// claimLocked appends a claim wherever the log ends now, and returns its position, which is the new epoch. If one is
// stored without our knowledge, it only fences nobody in vain: the next one counts.
func (l *Log) claimLocked(end uint64, loss int) (uint64, error) {
	if err := l.connectLocked(); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrFailed, err)
	}
	return l.publishLocked(l.claim(end, loss), anywhere)
}

// claim returns a claim by a primary that has read the log up to end. loss tells that the log had more, and how often
// it has lost something; 0: it has not.
func (l *Log) claim(end uint64, loss int) []byte {
	msg := record.AppendHeader(nil, record.Header{Type: record.Claim})
	msg = binary.LittleEndian.AppendUint64(msg, end)
	msg = append(msg, byte(min(loss, 255)))
	return append(msg, l.store.ID()...)
}

// claimFollows returns the position up to which the sender of a claim had read the log; false if the message is no
// claim. A claim that follows a gap which begins there has replaced what a loss of power took off the end.
func claimFollows(msg []byte) (uint64, bool) {
	h, body, err := record.Split(msg)
	if err != nil || h.Type != record.Claim || len(body) < claimHead {
		return 0, false
	}
	return binary.LittleEndian.Uint64(body), true
}

// claimHead is the bytes of a claim before the name of its sender.
const claimHead = 9

// lossIdentities is more than a log names between two losses. What is left after one may know nothing of the one
// before.
const lossIdentities = 1 << 40

// claimRecords returns what a claim tells the readers of the log: nothing, or that the log has lost something, and
// which identities may have been in use.
func claimRecords(body []byte) []byte {
	if len(body) < claimHead || body[claimHead-1] == 0 {
		return nil
	}
	before := uint64(body[claimHead-1]) - 1
	return record.AppendLost(record.AppendID(nil, record.Reserve, before*lossIdentities))
}
