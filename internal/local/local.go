// Package local is the space of a partition in the same process.
package local

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/impl"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/space/codec"
	"github.com/gospaces/gospaces/template"
)

// Space is the space of a partition in this process.
type Space struct {
	name      string
	group     *Group // nil: it shares transactions with no other
	partition *partition.Partition
	spans     *partition.Spans // nil: likewise
	owned     bool             // Close closes the partition
	codecs    codec.Cache
	txns      impl.OpenTxns
	callers   sync.Pool     // of *caller
	closed    chan struct{} // closed by Shut
	once      sync.Once     // closes closed
	why       error         // set before closed is closed
}

var _ space.Space = (*Space)(nil)

// Group is what spaces have in common that share transactions.
type Group struct {
	Spans *partition.Spans
	Home  func(name string) *Space // returns the space with a name; nil if there is none in this process
}

// New returns the space of a partition that was started, which belongs to the group unless that is nil. The space owns
// the partition: Close closes it.
func New(p *partition.Partition, g *Group) *Space {
	s := Serve(p, g)
	s.owned = true
	return s
}

// Serve returns the space of a partition that others close, and which they then Shut.
func Serve(p *partition.Partition, g *Group) *Space {
	s := &Space{
		name:      cmp.Or(p.Address().Space, rand.Text()),
		group:     g,
		partition: p,
		callers:   sync.Pool{New: func() any { return newCaller() }},
		closed:    make(chan struct{}),
	}
	if g != nil {
		s.spans = g.Spans
	}
	p.Hear(holder{newCaller(), s})
	return s
}

// Partition returns the partition of the space.
func (s *Space) Partition() *partition.Partition { return s.partition }

// holder hears of the transactions of a Space that end by themselves.
type holder struct {
	*caller
	space *Space
}

var _ partition.Holder = holder{}

// TxnLost implements partition.Holder.
func (h holder) TxnLost(number uint64, why error, _ partition.LSN, _ bool) {
	if t := h.space.txns.Remove(number); t != nil {
		t.Lose(why)
	}
}

// caller returns a caller for one call, which is then released. It returns ctx's error if ctx has ended.
func (s *Space) caller(ctx context.Context) (*caller, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return s.callers.Get().(*caller), nil
}

func (s *Space) release(c *caller) {
	c.reset()
	s.callers.Put(c)
}

// Register implements space.Space.
func (s *Space) Register(ctx context.Context, schema *template.Schema) (*template.Schema, error) {
	c, err := s.caller(ctx)
	if err != nil {
		return nil, err
	}
	defer s.release(c)
	s.partition.Register(c, c.next(), schema)
	err = c.await()
	if errors.Is(err, call.ErrUnknownKind) {
		return nil, fmt.Errorf("%w: %w", space.ErrInvalidArgument, err)
	}
	if err != nil {
		return nil, err
	}
	return s.partition.Schema(call.KindID(c.out.count)), nil
}

// Schema implements space.Space.
func (s *Space) Schema(ctx context.Context, kind string) (*template.Schema, error) {
	c, err := s.caller(ctx)
	if err != nil {
		return nil, err
	}
	defer s.release(c)
	s.partition.Describe(c, c.next(), kind)
	switch err = c.await(); {
	case errors.Is(err, call.ErrUnknownKind):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return s.partition.Schema(call.KindID(c.out.count)), nil
}

// Drop implements space.Space.
func (s *Space) Drop(ctx context.Context, kind string) error {
	c, err := s.caller(ctx)
	if err != nil {
		return err
	}
	defer s.release(c)
	s.partition.Drop(c, c.next(), kind)
	return c.await()
}

// Kinds implements space.Space.
func (s *Space) Kinds(ctx context.Context) ([]space.KindInfo, error) {
	c, err := s.caller(ctx)
	if err != nil {
		return nil, err
	}
	defer s.release(c)
	s.partition.Kinds(c, c.next())
	if err := c.await(); err != nil {
		return nil, err
	}
	kinds := make([]space.KindInfo, 0, len(c.out.counts))
	for i, n := range c.out.counts {
		if n >= 0 {
			kinds = append(kinds, space.KindInfo{
				Schema: s.partition.Schema(call.KindID(i + 1)), Count: n, Held: c.out.apart[i].Held,
				Delayed: c.out.apart[i].Delayed,
			})
		}
	}
	slices.SortFunc(kinds, func(a, b space.KindInfo) int { return strings.Compare(a.Schema.Kind, b.Schema.Kind) })
	return kinds, nil
}

// Codecs implements space.Space.
func (s *Space) Codecs() *codec.Cache { return &s.codecs }

// Close implements space.Space. It does nothing to a space that others serve.
func (s *Space) Close() error {
	if !s.owned {
		return nil
	}
	s.Shut(space.ErrClosed)
	return s.partition.Close()
}

// Shut ends the calls of listeners, with why, because the partition is closed or about to be.
func (s *Space) Shut(why error) {
	s.once.Do(func() {
		s.why = why
		close(s.closed)
	})
}
