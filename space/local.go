package space

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/engine"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// Config configures a space in process. The zero value works.
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

// Local is a space in this process. It lives in memory and is gone when the process is.
type Local struct {
	name      string
	group     *Group // nil: it shares transactions with no other
	partition *partition.Partition
	spans     *partition.Spans // nil: it shares transactions with no other space
	codecs    *Codecs
	txns      OpenTxns
	callers   sync.Pool     // of *caller
	closed    chan struct{} // closed by Close
	once      sync.Once     // closes closed
}

// New returns an empty space in this process, which shares transactions with no other; NewGroup is for those that do. The caller closes it.
func New(cfg Config) *Local { return newLocal(cfg, nil) }

func newLocal(cfg Config, g *Group) *Local {
	pcfg := partition.Config{
		Address:      txn.Address{Space: cmp.Or(cfg.Name, rand.Text())},
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
		pcfg.Address.Space, pcfg.Txns = cfg.Name, g.spans
	}
	p := partition.New(pcfg)
	if err := p.Start(context.Background(), nil); err != nil {
		panic(err) // there is no log that could be wrong
	}
	s := FromPartition(p)
	s.name, s.group = pcfg.Address.Space, g
	if g != nil {
		s.spans = g.spans
	}
	return s
}

// FromPartition returns the space of a partition that was started. The space owns it: Close closes it.
func FromPartition(p *partition.Partition) *Local {
	s := &Local{
		name:      rand.Text(),
		partition: p,
		codecs:    NewCodecs(),
		callers:   sync.Pool{New: func() any { return newCaller() }},
		closed:    make(chan struct{}),
	}
	p.Hear(holder{newCaller(), s})
	return s
}

// holder hears of the transactions of a Local that end by themselves.
type holder struct {
	*caller
	space *Local
}

var _ partition.Holder = holder{}

// TxnLost implements partition.Holder.
func (h holder) TxnLost(number uint64, why error, _ partition.LSN, _ bool) {
	if t := h.space.txns.Remove(number); t != nil {
		t.Lose(why)
	}
}

// caller returns a caller for one call, which is then released. It returns ctx's error if ctx has ended.
func (s *Local) caller(ctx context.Context) (*caller, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return s.callers.Get().(*caller), nil
}

func (s *Local) release(c *caller) {
	c.reset()
	s.callers.Put(c)
}

// Register implements Space.
func (s *Local) Register(ctx context.Context, schema *template.Schema) (*template.Schema, error) {
	c, err := s.caller(ctx)
	if err != nil {
		return nil, err
	}
	defer s.release(c)
	s.partition.Register(c, c.next(), schema)
	err = c.await()
	if errors.Is(err, call.ErrUnknownKind) {
		return nil, fmt.Errorf("%w: %w", ErrInvalidArgument, err)
	}
	if err != nil {
		return nil, err
	}
	return s.partition.Schema(call.KindID(c.out.count)), nil
}

// Schema implements Space.
func (s *Local) Schema(ctx context.Context, kind string) (*template.Schema, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return s.partition.Schema(s.partition.KindID(kind)), nil
}

// Drop implements Space.
func (s *Local) Drop(ctx context.Context, kind string) error {
	c, err := s.caller(ctx)
	if err != nil {
		return err
	}
	defer s.release(c)
	s.partition.Drop(c, c.next(), kind)
	return c.await()
}

// Kinds implements Space.
func (s *Local) Kinds(ctx context.Context) ([]KindInfo, error) {
	c, err := s.caller(ctx)
	if err != nil {
		return nil, err
	}
	defer s.release(c)
	s.partition.Kinds(c, c.next())
	if err := c.await(); err != nil {
		return nil, err
	}
	kinds := make([]KindInfo, 0, len(c.out.counts))
	for i, n := range c.out.counts {
		if n >= 0 {
			kinds = append(kinds, KindInfo{
				Schema: s.partition.Schema(call.KindID(i + 1)), Count: n, Held: c.out.apart[i].Held,
				Delayed: c.out.apart[i].Delayed,
			})
		}
	}
	slices.SortFunc(kinds, func(a, b KindInfo) int { return strings.Compare(a.Schema.Kind, b.Schema.Kind) })
	return kinds, nil
}

// Codecs implements Space.
func (s *Local) Codecs() *Codecs { return s.codecs }

// Close implements Space.
func (s *Local) Close() error {
	s.once.Do(func() { close(s.closed) })
	return s.partition.Close()
}
