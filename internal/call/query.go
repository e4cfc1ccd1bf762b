package call

import (
	"fmt"
	"unsafe"

	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// Template is a template whose kind is given by number; its conditions name fields of that kind's schema.
type Template struct {
	Kind  KindID // 0 matches every entry, and has no conditions
	Conds []template.Cond
	Named *Named // not nil: Kind and Conds follow from it, and the engine sets them
}

// Named is a template that names its kind and brings its fields, since the space may not have them yet. What it means
// follows from the schema that the kind has, and is found out again whenever that changes while a call waits or a
// registration lives.
type Named struct {
	template.Template
	Order []template.Order // of the query, if this is its only template
}

// Query says which entries a call is about.
type Query struct {
	Templates []Template // an entry matches if one of them does; at least one
	// empty: oldest first. Otherwise there is exactly one template, and Order names fields of its kind
	Order []template.Order
	Max   int  // at least 1
	Take  bool // remove what is found
	// a read that finds what a take could, and so locks it that no other transaction claims or takes it
	Claim    bool
	IfExists bool   // do not wait for entries that are not there yet
	Held     bool   // only entries that transactions have taken: a read, a count or contents
	Hidden   bool   // a read that tells, too, how many matches others have locked (Result.Count)
	ID       uint64 // only the entry with this identity, if not 0: it must match too
	Txn      txn.ID // the transaction under which the call is made
	Begin    bool   // take each entry under a transaction of its own, begun for it
	Lease    int64  // of the transactions that Begin begins
	By       Request
	Holder   string // what the caller calls itself, for Begin
	// place among the calls that wait, once it waits; a wait that is interrupted and goes on keeps it. 0: the last
	Arrival uint64
}

// Exclusive reports whether q finds only what its transaction may take.
func (q *Query) Exclusive() bool { return q.Take || q.Claim }

// Check returns an ErrInvalidArgument if no space could answer q, whatever its kinds are, and cuts q.Max to MaxFind.
func (q *Query) Check() error {
	if len(q.Templates) == 0 {
		return fmt.Errorf("%w: no template", ErrInvalidArgument)
	}
	if q.Max < 1 {
		return fmt.Errorf("%w: at most %d entries asked for", ErrInvalidArgument, q.Max)
	}
	q.Max = min(q.Max, MaxFind)
	switch {
	case q.Held && (q.Take || q.Claim || q.Begin || !q.Txn.IsZero()):
		return fmt.Errorf("%w: entries that are held can only be read, and under no transaction", ErrInvalidArgument)
	case q.Hidden && (q.Take || q.Held):
		return fmt.Errorf("%w: only a read of what is free tells what is hidden", ErrInvalidArgument)
	case q.Claim && (q.Take || q.Txn.IsZero()):
		return fmt.Errorf("%w: only a read under a transaction claims", ErrInvalidArgument)
	case !q.Begin:
	case !q.Take:
		return fmt.Errorf("%w: a read under a transaction of its own", ErrInvalidArgument)
	case !q.Txn.IsZero():
		return fmt.Errorf("%w: transactions are not nested", ErrInvalidArgument)
	case q.Lease < 0:
		return fmt.Errorf("%w: negative lease", ErrInvalidArgument)
	}
	if len(q.Order) > 0 && (len(q.Templates) != 1 || q.Templates[0].Kind == 0 && q.Templates[0].Named == nil) {
		return fmt.Errorf("%w: an ordering needs exactly one template, with a kind", ErrInvalidArgument)
	}
	for i := range q.Templates {
		if t := &q.Templates[i]; t.Named == nil && t.Kind == 0 && len(t.Conds) > 0 {
			return fmt.Errorf("%w: a template without a kind has conditions", ErrInvalidArgument)
		}
	}
	if n := q.operands(); n > maxOperands {
		return fmt.Errorf("%w: the conditions have %d operands; at most %d are allowed: ask in parts",
			ErrInvalidArgument, n, maxOperands)
	}
	return nil
}

// maxOperands bounds the operands of a query's conditions, all of which a single entry may have to be compared with.
const maxOperands = 1 << 14

func (q *Query) operands() (n int) {
	for i := range q.Templates {
		conds := q.Templates[i].Conds
		if named := q.Templates[i].Named; named != nil {
			conds = named.Conds
		}
		for j := range conds {
			n += 1 + len(conds[j].Values)
		}
	}
	return n
}

// Weight returns about how many bytes the templates of q take while it waits.
func (q *Query) Weight() int {
	n := len(q.Templates) * (int(unsafe.Sizeof(Template{})) + nodeBytes)
	for i := range q.Templates {
		for j := range q.Templates[i].Conds {
			c := &q.Templates[i].Conds[j]
			n += int(unsafe.Sizeof(*c)) + len(c.Value)
			for _, v := range c.Values {
				n += int(unsafe.Sizeof(v)) + len(v)
			}
		}
	}
	return n
}

// nodeBytes is about what an engine adds to a template under which something waits.
const nodeBytes = 160

// Cursor says how far an iteration has come. The zero Cursor is its beginning.
type Cursor struct {
	Place uint64 // after which it goes on
	Last  uint64 // the highest identity that there was when it began: younger entries do not belong to it
}
