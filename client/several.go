package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/gospaces/gospaces/internal/route"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// several makes the calls on a space of several partitions: in the partition that a call concerns, or else in all
// partitions that it may concern. Its methods may be called concurrently. DESIGN.md has the promises and the reasons.
type several struct {
	space *Space
	parts []*part
	turn  atomic.Uint32 // counts the writes that may go to any partition
}

func newSeveral(s *Space, n int) *several {
	v := &several{space: s}
	for i := range n {
		v.parts = append(v.parts, s.client.addPart(s, uint16(i), n))
	}
	v.turn.Store(rand.Uint32())
	return v
}

// of returns the partition that issued an identity.
func (v *several) of(id uint64) *part {
	if at := int(txn.PartitionOf(id)); at < len(v.parts) {
		return v.parts[at]
	}
	return v.parts[0] // which does not know it either
}

// anywhere returns the partition for the next entry that may live in any.
func (v *several) anywhere() int { return int(v.turn.Add(1) % uint32(len(v.parts))) }

// each calls f with all given partitions, concurrently, and returns the first error by number.
func each(parts []*part, f func(i int, p *part) error) error {
	if len(parts) == 1 {
		return f(0, parts[0])
	}
	errs := make([]error, len(parts))
	var calls sync.WaitGroup
	for i, p := range parts {
		calls.Go(func() { errs[i] = f(i, p) })
	}
	calls.Wait()
	if slices.Contains(errs, errMisrouted) {
		return errMisrouted
	}
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Register implements space.Space. The first partition decides the order of the fields; the others follow, so that one
// row is good for all.
func (v *several) Register(ctx context.Context, schema *template.Schema) (*template.Schema, error) {
	before := v.space.schema(schema.Kind)
	merged, err := v.parts[0].Register(ctx, schema)
	if err != nil {
		return nil, err
	}
	err = v.follow(ctx, merged)
	if errors.Is(err, space.ErrSchemaConflict) && before != nil {
		// The kind had no entries in the first partition, and could take other classes, but has some in another.
		if _, back := v.parts[0].Register(ctx, before); back == nil {
			_ = v.follow(ctx, before)
		}
	}
	return merged, err
}

// follow registers the schema of a kind in the first partition in the others.
func (v *several) follow(ctx context.Context, merged *template.Schema) error {
	return each(v.parts[1:], func(_ int, p *part) error {
		_, err := p.Register(ctx, merged)
		return err
	})
}

// Schema implements space.Space.
func (v *several) Schema(ctx context.Context, kind string) (*template.Schema, error) {
	return v.parts[0].Schema(ctx, kind)
}

// Drop implements space.Space. The first partition comes last: a kind that another still has is not dropped there.
func (v *several) Drop(ctx context.Context, kind string) error {
	err := each(v.parts[1:], func(_ int, p *part) error {
		if err := p.Drop(ctx, kind); !errors.Is(err, space.ErrNoMatch) {
			return err
		}
		return nil
	})
	if err != nil {
		return err
	}
	return v.parts[0].Drop(ctx, kind)
}

// Kinds implements space.Space.
func (v *several) Kinds(ctx context.Context) ([]space.KindInfo, error) {
	lists := make([][]space.KindInfo, len(v.parts))
	err := each(v.parts, func(i int, p *part) (err error) {
		lists[i], err = p.Kinds(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	var all []space.KindInfo
	for _, k := range slices.Concat(lists...) {
		at, found := slices.BinarySearchFunc(all, k, func(a, b space.KindInfo) int {
			return strings.Compare(a.Schema.Kind, b.Schema.Kind)
		})
		if !found {
			all = slices.Insert(all, at, k)
			continue
		}
		all[at].Count += k.Count
		all[at].Held += k.Held
		all[at].Delayed += k.Delayed
	}
	return all, nil
}

// Snapshot implements caller.
func (v *several) Snapshot(ctx context.Context) (position uint64, err error) {
	positions := make([]uint64, len(v.parts))
	err = each(v.parts, func(i int, p *part) (err error) {
		positions[i], err = p.Snapshot(ctx)
		return err
	})
	return positions[0], err
}

// targets returns the partitions in which matches of q may be.
func (v *several) targets(ctx context.Context, q *space.Query) ([]*part, error) {
	if q.ID != 0 {
		return []*part{v.of(uint64(q.ID))}, nil
	}
	var all []int
	for _, t := range q.Templates {
		some, err := v.targetsOf(ctx, t)
		if err != nil || some == nil {
			return v.parts, err
		}
		all = append(all, some...)
	}
	slices.Sort(all)
	var parts []*part
	for _, at := range slices.Compact(all) {
		parts = append(parts, v.parts[at])
	}
	return parts, nil
}

// targetsOf returns the partitions in which matches of a template may be; nil if these are all.
func (v *several) targetsOf(ctx context.Context, t *template.Template) ([]int, error) {
	if t.Kind == "" || len(t.Conds) == 0 {
		return nil, nil
	}
	schema := v.space.schema(t.Kind)
	if schema == nil && hasRoute(t.Fields) { // otherwise it is not worth a call
		var err error
		if schema, err = v.Schema(ctx, t.Kind); err != nil {
			return nil, err
		}
	}
	if schema == nil {
		return nil, nil
	}
	return route.Targets(schema, t.Fields, t.Conds, len(v.parts)), nil
}

func hasRoute(fields []template.Field) bool {
	return slices.ContainsFunc(fields, func(f template.Field) bool { return f.Role&template.Route != 0 })
}
