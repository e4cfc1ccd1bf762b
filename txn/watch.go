package txn

import (
	"context"
	"sync"
	"time"
)

// A branch whose home is served by another process may be left without a word: the home has failed, its message was
// lost, or it came while the partition changed its primary. So branches ask: the prepared ones soon, since calls wait
// for them, and the others now and then.
const (
	askPrepared = 200 * time.Millisecond
	askOthers   = 5 * time.Second
	// askTimeout is how long the answers of one round are waited for.
	askTimeout = time.Second
	// asking is how many homes are asked at the same time.
	asking = 64
)

// Watch asks, until ctx ends, the homes of branches in the partitions of this process that have not ended for a while.
// It is for a process whose partitions have branches of transactions that began in other processes.
func (c *Coordinator) Watch(ctx context.Context) {
	ctx, cancel := c.join(ctx)
	defer cancel()
	var all sync.WaitGroup
	all.Go(func() { c.watch(ctx, askPrepared, Local.Prepared) })
	all.Go(func() { c.watch(ctx, askOthers, Local.Branches) })
	all.Wait()
}

// branchAt is a branch of a transaction.
type branchAt struct {
	id ID
	at Address
}

// watch asks for the branches that were there a round before.
func (c *Coordinator) watch(ctx context.Context, every time.Duration, list func(Local) []ID) {
	t := time.NewTicker(every)
	defer t.Stop()
	before := map[branchAt]bool{}
	for {
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
		now := map[branchAt]bool{}
		var due []branchAt
		for _, at := range c.parts.All() {
			s := c.parts.Here(at)
			if s == nil {
				continue
			}
			for _, id := range list(s) {
				b := branchAt{id, at}
				if now[b] = true; before[b] {
					due = append(due, b)
				}
			}
		}
		before = now
		c.askAll(ctx, due)
	}
}

// askAll asks for branches, and waits for the answers for a moment.
func (c *Coordinator) askAll(ctx context.Context, due []branchAt) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	turns := make(chan struct{}, asking)
	var all sync.WaitGroup
	for _, b := range due {
		turns <- struct{}{}
		all.Go(func() {
			defer func() { <-turns }()
			if err := c.ask(ctx, b.id, b.at); err != nil && ctx.Err() == nil {
				c.logger.Debug("the outcome of a transaction is not known yet", "of", b.id.String(), "error", err)
			}
		})
	}
	all.Wait()
}
