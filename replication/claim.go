package replication

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/gospaces/gospaces/internal/record"
)

// Claim makes this process the primary. It appends a claim that follows a position, which CatchUp or Follow has
// returned and the caller's state has reached, and that carries the caller's clock; from then on Append works. It
// returns the claim as readers get it, for the caller to apply.
//
// It returns ErrFenced, without a claim, if the log goes on after the position: the caller reads on, and decides anew
// whether to claim. It returns ErrFull while the log has no room. After any other error it is unknown whether the claim
// is in the log; reading on tells. Nothing can be appended after an error.
func (l *Log) Claim(ctx context.Context, follows uint64, clock record.Clock) (record.Group, error) {
	ctx, cancel := l.bound(ctx)
	defer cancel()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failLocked(ErrNotPrimary)
	g, err := l.claimLocked(ctx, follows, clock)
	if err != nil {
		err = fmt.Errorf("claim log %v: %w", l.id, err)
	}
	l.failLocked(err)
	return g, err
}

func (l *Log) claimLocked(ctx context.Context, follows uint64, clock record.Clock) (g record.Group, err error) {
	as, err := l.home.claimable(ctx, follows)
	if err != nil {
		return g, err
	}
	msg := l.claim(as, clock)
	pos, err := l.home.publish(ctx, msg, as.last)
	if err != nil {
		return g, err
	}
	l.appended(pos, len(msg), true)
	if err := l.home.claimed(pos, as); err != nil {
		return g, err
	}
	if pos > follows+1 {
		l.lost(follows+1, pos)
	}
	g, _, err = l.next(new(fold), message{pos: pos, data: msg})
	l.epoch, l.last = pos, pos
	return g, err
}

// intent is the content of a claim.
type intent struct {
	follows     uint64 // the position up to which its sender has read the log
	last        uint64 // the position after which the server stores it: another one if the log has lost its end
	loss        int    // if the log had more, how often it has lost something; 0: it has not
	incarnation string // of the log from then on
}

// claim returns a claim.
func (l *Log) claim(as intent, clock record.Clock) []byte {
	msg := record.AppendHeader(nil, record.Header{Type: record.Claim, Clock: clock})
	msg = binary.LittleEndian.AppendUint64(msg, as.follows)
	msg = append(msg, byte(min(as.loss, 255)), byte(len(as.incarnation)))
	return append(append(msg, as.incarnation...), l.name...)
}

// claimOf reads the message of a claim.
func claimOf(msg []byte) (as intent, name string, ok bool) {
	h, body, err := record.Split(msg)
	if err != nil || h.Type != record.Claim || len(body) < claimHead {
		return as, "", false
	}
	as.follows, as.loss = binary.LittleEndian.Uint64(body), int(body[8])
	body, n := body[claimHead:], int(body[claimHead-1])
	if n > len(body) {
		return as, "", false
	}
	as.incarnation = string(body[:n])
	return as, string(body[n:]), true
}

// claimFollows returns the position that a claim follows; false if the message is no claim. A claim that follows a gap
// has replaced what a loss of power has cut off the end.
func claimFollows(msg []byte) (uint64, bool) {
	as, _, ok := claimOf(msg)
	return as.follows, ok
}

// claimHead is the bytes of a claim before the incarnation of its log and the name of its sender.
const claimHead = 10

// lossIdentities is more than a log names between two losses. After one, nothing may be known of the one before.
const lossIdentities = 1 << 40

// quickIdentities is more than a log names between two losses so close to each other that the clock does not tell them
// apart.
const quickIdentities = 1 << 17

// claimRecords returns what readers of the log get for a claim: no records, or record.Lost with the identities that may
// have been in use.
func claimRecords(clock record.Clock, body []byte) []byte {
	if len(body) < claimHead || body[8] == 0 {
		return nil
	}
	before := uint64(body[8]) - 1
	records := record.AppendID(nil, record.Reserve, before*lossIdentities)
	if origin := record.OriginAt(clock.Wall); origin > 0 {
		records = record.AppendID(records, record.Origin, origin+before*quickIdentities)
	}
	return record.AppendLost(records)
}
