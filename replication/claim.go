package replication

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/gospaces/gospaces/internal/record"
)

// Claim makes this process the primary, whose state includes everything up to a position, which CatchUp or Follow has
// returned: it appends a claim that follows this position, and tells what the caller's clock shows; Append works from
// then on. It returns the claim as readers get it, for the caller to apply.
//
// It returns ErrFenced, without a claim, if the log holds more than the state does: the caller reads on and decides
// anew whether it is to be the primary. It returns ErrFull while the log could take no message. After any other error
// it is unknown whether the claim is there; reading on tells. Nothing can be appended after an error.
func (l *Log) Claim(ctx context.Context, follows uint64, clock record.Clock) (record.Group, error) {
	ctx, cancel := l.store.bound(ctx)
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
	if err := l.claimable(ctx); err != nil {
		return g, err
	}
	last, loss, err := l.claimsAfter(ctx, follows)
	if err != nil {
		return g, err
	}
	if err := l.connectLocked(); err != nil {
		return g, fmt.Errorf("%w: %w", ErrFailed, err)
	}
	msg := l.claim(follows, loss, clock)
	pos, err := l.publishLocked(msg, last)
	if err != nil {
		return g, err
	}
	l.appended(pos, len(msg), true)
	if err := l.syncFolders(); err != nil {
		return g, err
	}
	if err := l.claimed(pos); err != nil {
		return g, err
	}
	l.see()
	if pos > follows+1 {
		l.lost(follows+1, pos)
	}
	g, _, err = l.next(new(fold), message{pos: pos, data: msg})
	l.epoch, l.last = pos, pos
	return g, err
}

// claimable returns why a claim cannot be appended now, as far as this process can tell without asking.
func (l *Log) claimable(ctx context.Context) error {
	if err := l.repair(ctx); err != nil {
		return err
	}
	if err := l.store.disk.admit(0); err != nil {
		return err
	}
	st := l.Stats()
	size := l.storedSize(len(l.claim(0, 0, record.Clock{})), st.Last)
	if limit := l.store.cfg.MaxBytes; limit > 0 && st.Bytes+size > limit {
		return fmt.Errorf("%w: %d of %d bytes", ErrFull, st.Bytes, limit)
	}
	return nil
}

// ending is how a log ended when CatchUp had read it: the position that a claim follows, and the one after which the
// server stores it. They differ if the log has lost its end with the power, or ends before the snapshot that was
// loaded.
type ending struct {
	follows, last uint64
}

func (l *Log) note(e ending) {
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	l.ending = e
}

// ended returns how the log ended for a claim that follows a position.
func (l *Log) ended(follows uint64) ending {
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	if l.ending.follows == follows {
		return l.ending
	}
	return ending{follows, follows}
}

// claimsAfter returns the position after which a claim is to be stored that follows a position, and how often the log
// has lost something, if that is now: the claim tells its readers. It asks the server for nothing, unless the log ended
// otherwise than it should when this process began.
func (l *Log) claimsAfter(ctx context.Context, follows uint64) (last uint64, loss int, err error) {
	e := l.ended(follows)
	if e.last < follows {
		if err := l.rebase(ctx, e); err != nil {
			return 0, 0, err
		}
		e.last = follows
	}
	if e.last > follows {
		l.store.cfg.Logger.Warn("log_end_lost", "log", l.id.String(), "first", follows+1, "last", e.last)
	}
	loss, err = l.toldLoss(e)
	return e.last, loss, err
}

// toldLoss returns how often the log has lost something, if that is now: its claim tells its readers. Otherwise it
// returns 0.
func (l *Log) toldLoss(e ending) (int, error) {
	w, err := l.store.folder.readWitness(l.id)
	if err != nil || w.Lost {
		return max(w.Losses, 1), err
	}
	if e.last <= e.follows {
		return 0, nil
	}
	w.Losses++
	return w.Losses, l.store.writeWitness(l.id, w)
}

// rebase makes the log, which ends before the snapshot that was loaded, go on after it: the state was restored into an
// empty folder, or a loss was accepted.
func (l *Log) rebase(ctx context.Context, e ending) error {
	st, err := l.serverState(ctx)
	if err != nil {
		return err
	}
	if st.LastSeq != e.last {
		return fmt.Errorf("%w: it ends at position %d", ErrFenced, st.LastSeq)
	}
	l.store.cfg.Logger.Info("log_begins_after_snapshot", "log", l.id.String(), "position", e.follows)
	if err := l.purge(ctx, e.follows+1); err != nil {
		return err
	}
	if st, err = l.serverState(ctx); err != nil {
		return err
	}
	l.observe(st)
	l.note(ending{e.follows, st.LastSeq})
	return nil
}

// claim returns a claim by a primary that has read the log up to end. loss tells that the log had more, and how often
// it has lost something; 0: it has not.
func (l *Log) claim(end uint64, loss int, clock record.Clock) []byte {
	msg := record.AppendHeader(nil, record.Header{Type: record.Claim, Clock: clock})
	msg = binary.LittleEndian.AppendUint64(msg, end)
	msg = append(msg, byte(min(loss, 255)))
	return append(msg, l.name...)
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

// claimRecords returns the records of a claim for readers of the log: none, or that the log has lost something, and
// which identities may have been in use.
func claimRecords(body []byte) []byte {
	if len(body) < claimHead || body[claimHead-1] == 0 {
		return nil
	}
	before := uint64(body[claimHead-1]) - 1
	return record.AppendLost(record.AppendID(nil, record.Reserve, before*lossIdentities))
}
