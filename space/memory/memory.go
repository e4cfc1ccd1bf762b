// Package memory makes spaces in the memory of this process: for tests, for programs of one process, and to try things
// out. They promise what every space.Space does but durability, and are gone when the process is. Package node makes
// spaces in this process that last, and package client reaches those of a server.
package memory

import (
	"cmp"
	"context"
	"crypto/rand"
	"log/slog"
	"time"

	"github.com/gospaces/gospaces/internal/engine"
	"github.com/gospaces/gospaces/internal/local"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/txn"
)

// Config configures a space. The zero value works.
type Config struct {
	Name          string        // of the space, in the identities of its transactions; "": a random one
	Logger        *slog.Logger  // nil: silent
	MaxEntry      int           // bytes of one entry; 0: 1 MiB
	MaxCall       int           // bytes of all entries of one write; 0: 8 MiB
	MaxTxnEntries int           // entries that a transaction may hold, and that one write may have; 0: 4,096
	MaxWaiting    int           // waiting calls; 0: no bound
	EventBacklog  int           // events kept for a registration that is slow to collect them; 0: 65536
	MaxEntryLease time.Duration // the longest lease of entries; 0: no bound
	MaxEventLease time.Duration // the longest lease of registrations; 0: no bound
	MaxTxnLease   time.Duration // the longest lease of transactions; 0: no bound
}

// New returns an empty space, which shares transactions with no other; NewGroup is for those that do. The caller closes
// it.
func New(cfg Config) space.Space { return start(cfg, cmp.Or(cfg.Name, rand.Text()), nil) }

// start returns a space with that name.
func start(cfg Config, name string, g *local.Group) *local.Space {
	pcfg := partition.Config{
		Address:      txn.Address{Space: name},
		Logger:       cfg.Logger,
		MaxEntry:     cfg.MaxEntry,
		MaxCall:      cfg.MaxCall,
		Bounds:       partition.Bounds{Waiting: cfg.MaxWaiting},
		EventBacklog: cfg.EventBacklog,
		Limits: engine.Limits{
			EntryLease:        int64(cfg.MaxEntryLease),
			RegistrationLease: int64(cfg.MaxEventLease),
			TxnLease:          int64(cfg.MaxTxnLease),
			TxnEntries:        cfg.MaxTxnEntries,
		},
	}
	if g != nil {
		pcfg.Txns = g.Spans
	}
	p := partition.New(pcfg)
	if err := p.Start(context.Background(), nil); err != nil {
		panic(err) // there is no log that could be wrong
	}
	return local.New(p, g)
}
