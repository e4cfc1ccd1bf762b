package node

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/cluster"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/txn"
)

const (
	// endOfParts is how long a drop waits for transactions over several spaces that have parts in the space. Those that
	// were committed end by themselves within milliseconds.
	endOfParts = time.Second
	// retireTimeout is how long a drop waits for a partition that does not answer.
	retireTimeout = 5 * time.Second
	// stillGiven is more than the identities that a partition gives out between the question and its end.
	stillGiven = 1 << 24
)

// retire asks a partition whose space is to be dropped, for a while again as long as transactions have parts there.
func retire(ctx context.Context, p partition.Peer) (highest uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, retireTimeout)
	defer cancel()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for end := time.Now().Add(endOfParts); ; {
		highest, err = p.Retire(ctx)
		if !errors.Is(err, call.ErrInvalidArgument) || time.Now().After(end) {
			return highest, err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return highest, err
		}
	}
}

// retire waits until a space of a node alone can be dropped, or returns call.ErrInvalidArgument.
func (ss *spaces) retire(ctx context.Context, name string) error {
	f := ss.lookup(name)
	if f == nil {
		return nil
	}
	for _, s := range f.parts {
		if _, err := retire(ctx, s.host.Peer()); errors.Is(err, call.ErrInvalidArgument) {
			return err
		}
	}
	return nil
}

// retire asks all partitions of a space that is to be dropped. It returns a number above the identities of the space,
// and call.ErrInvalidArgument if it cannot be dropped yet. What a partition that is not served has given out is not
// known; the effects of its transactions over several spaces that have not ended are aborted in the others.
func (f *fleet) retire(ctx context.Context, name string, sp *cluster.Space) (highest uint64, err error) {
	if sp == nil || sp.Phase != cluster.Existing {
		return 0, nil // it has served nothing
	}
	highs, errs := make([]uint64, len(sp.Partitions)), make([]error, len(sp.Partitions))
	var all sync.WaitGroup
	for i := range sp.Partitions {
		all.Go(func() { highs[i], errs[i] = f.retireOne(ctx, txn.Address{Space: name, Partition: uint16(i)}) })
	}
	all.Wait()
	for i := range highs {
		highest = max(highest, highs[i])
	}
	return highest, cmp.Or(errs...)
}

func (f *fleet) retireOne(ctx context.Context, at txn.Address) (highest uint64, err error) {
	p := f.far(at)
	if here := f.led(at); here != nil {
		p = f.spans.Host(here).Peer()
	}
	if p == nil {
		return 0, nil // it was dropped just now
	}
	highest, err = retire(ctx, p)
	switch {
	case err == nil:
		return highest + stillGiven, nil
	case errors.Is(err, call.ErrInvalidArgument):
		return 0, err
	}
	f.cfg.Logger.Warn("a partition that is not served is dropped", "partition", at.String(), "reason", err)
	return record.OriginAt(time.Now().UnixNano()) + unknownLosses, nil
}
