// Package route says in which partition of its space an entry lives, and which partitions a template may have matches
// in. It is pure: the same value goes to the same partition for ever, on every machine.
package route

import (
	"math/bits"
	"slices"

	"github.com/gospaces/gospaces/template"
)

// MaxPartitions is the maximum number of partitions of a space.
const MaxPartitions = 256

// Partition returns the partition, of n, for the canonical encoding of a route value. It is documented in
// docs/protocol.md, and must never change: entries are where it says.
func Partition(v template.Value, n int) int {
	hi, _ := bits.Mul64(hash(v), uint64(n))
	return int(hi)
}

// hash is FNV-1a of 64 bits, mixed as MurmurHash3 does at its end, so that the upper bits depend on all others.
func hash(b []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// Field returns the position of the field of a schema that decides the partition, or -1 if none does.
func Field(s *template.Schema) int {
	return slices.IndexFunc(s.Fields, func(f template.Field) bool { return f.Role&template.Route != 0 })
}

// Of returns the partition, of n, of an entry with a row of schema s; false if it may live in any: its kind has no
// route field, or the field is null.
func Of(s *template.Schema, row template.Row, n int) (partition int, fixed bool) {
	at := Field(s)
	if at < 0 {
		return 0, false
	}
	v := row.Field(at)
	if v == nil {
		return 0, false
	}
	return Partition(v, n), true
}

// Targets returns the partitions, of n, in which entries of the kind with schema s may match conds, sorted; nil if that
// are all. fields are those that the conditions refer to by position, nil for those of s. The schema is the one that
// the space has for the kind: what the template's author thinks of the route field does not matter.
func Targets(s *template.Schema, fields []template.Field, conds []template.Cond, n int) []int {
	at := Field(s)
	if at < 0 {
		return nil
	}
	name := s.Fields[at].Name
	if fields == nil {
		fields = s.Fields
	}
	var targets []int
	for i := range conds {
		c := &conds[i]
		if c.Field >= len(fields) || fields[c.Field].Name != name {
			continue
		}
		switch c.Op {
		case template.Eq:
			return []int{Partition(c.Value, n)}
		case template.In:
			targets = targets[:0:0]
			for _, v := range c.Values {
				targets = append(targets, Partition(v, n))
			}
			slices.Sort(targets)
			targets = slices.Compact(targets)
		}
	}
	return targets
}
