package replication

import (
	"context"
	"fmt"

	"github.com/gospaces/gospaces/internal/record"
)

// mayClaim returns why a claim cannot be appended now, as far as this process can tell without asking.
func (l *alone) mayClaim(ctx context.Context) error {
	if err := l.repair(ctx); err != nil {
		return err
	}
	if err := l.store.disk.admit(0); err != nil {
		return err
	}
	st := l.Stats()
	size := l.storedSize(len(l.claim(intent{incarnation: l.incarnation}, record.Clock{})), st.Last)
	if limit := l.store.cfg.MaxBytes; limit > 0 && st.Bytes+size > limit {
		return fmt.Errorf("%w: %d of %d bytes", ErrFull, st.Bytes, limit)
	}
	return nil
}

// ending is how a log ended when CatchUp had read it: the position that a claim follows, and the one after which the
// server stores the claim. They differ if the log has lost its end in a loss of power, or ends before the snapshot that
// was loaded.
type ending struct {
	follows, last uint64
}

func (l *alone) note(e ending) {
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	l.ending = e
}

// ended returns how the log ended for a claim that follows a position.
func (l *alone) ended(follows uint64) ending {
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	if l.ending.follows == follows {
		return l.ending
	}
	return ending{follows, follows}
}

// claimsAfter returns the position after which a claim that follows a position is stored, and how often the log has
// lost something, if the claim is to tell its readers now. A log that begins after a snapshot lacks what followed in
// the log of the snapshot. claimsAfter asks the server for nothing, unless the log did not end as it should when this
// process began.
func (l *alone) claimsAfter(ctx context.Context, follows uint64) (last uint64, loss int, err error) {
	e := l.ended(follows)
	if e.last < follows {
		if err := l.rebase(ctx, e); err != nil {
			return 0, 0, err
		}
		e.last, loss = follows, 1
	}
	if e.last > follows {
		l.store.cfg.Logger.Warn("log_end_lost", "log", l.id.String(), "first", follows+1, "last", e.last)
	}
	told, err := l.toldLoss(e)
	return e.last, max(loss, told), err
}

// toldLoss returns how often the log has lost something, if that is now: its claim tells its readers. Otherwise it
// returns 0.
func (l *alone) toldLoss(e ending) (int, error) {
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

// rebase makes a log that ends before the loaded snapshot go on after it: the state was restored into an empty folder,
// or a loss was accepted.
func (l *alone) rebase(ctx context.Context, e ending) error {
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
