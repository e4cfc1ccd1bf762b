package call

import (
	"fmt"
	"unsafe"

	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// Template is a template that gives its kind by number; its conditions name fields of that kind's schema.
type Template struct {
	Kind   KindID // 0 matches every entry, and has no conditions
	Conds  []template.Cond
	Schema *template.Schema // of the kind, for which the conditions were made; nil: for the one that it has
	Named  *Named           // if not nil, the engine derives Kind and Conds from it
}

// Named is a template that names its kind and brings its fields, since the space may not have them yet. It is resolved
// against the kind's current schema, and again whenever the schema changes while a call waits or a registration lives.
type Named struct {
	template.Template
	Order []template.Order // of the query, if this is its only template
}

// Query selects the entries of a call.
type Query struct {
	Templates []Template // at least one; an entry matches if one of them does
	// empty: oldest first. Otherwise there is exactly one template, and Order names fields of its kind
	Order []template.Order
	Max   int  // at least 1
	Take  bool // remove the entries found
	// a read that finds only entries a take could have, and locks them so that no other transaction claims or takes them
	Claim    bool
	IfExists bool   // do not wait for entries that do not exist yet
	Held     bool   // only entries that transactions have taken, for a read, a count or contents
	Hidden   bool   // a read that also counts matches that others have locked (Result.Count)
	ID       uint64 // if not 0, only the entry with this identity, which must match too
	Txn      txn.ID // the transaction under which the call is made
	Reserve  bool   // keep what is found for the caller instead of taking it: find what a take would, one entry
	Begin    bool   // take each entry under its own transaction, begun for it
	Lease    int64  // of the transactions that Begin begins
	By       Request
	Holder   string // name of the caller, for Begin
	// place among the waiting calls, once it waits; a wait that is interrupted and continued keeps it. 0: the last
	Arrival uint64
}

// Exclusive reports whether q finds only entries that its transaction may take.
func (q *Query) Exclusive() bool { return q.Take || q.Claim || q.Reserve }

// Check returns an ErrInvalidArgument if q is invalid whatever the kinds of the space, and limits q.Max to MaxFind.
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
	case q.Reserve && (q.Take || q.Claim || q.Begin || q.Held || q.Hidden || q.ID != 0 || q.Max != 1):
		return fmt.Errorf("%w: a reservation is of one entry, and takes nothing", ErrInvalidArgument)
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
	return CheckTemplates(len(q.Templates), q.operands())
}

func (q *Query) operands() (n int) {
	for i := range q.Templates {
		conds := q.Templates[i].Conds
		if named := q.Templates[i].Named; named != nil {
			conds = named.Conds
		}
		n += template.Operands(conds)
	}
	return n
}

// Weight returns the approximate bytes of q's templates while it waits.
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

// nodeBytes is the approximate overhead of the engine for one template of a waiting call.
const nodeBytes = 160

// Cursor is the position of an iteration. The zero Cursor is its beginning.
type Cursor struct {
	Place uint64 // after which it goes on
	Last  uint64 // the highest identity when the iteration began: younger entries are left out
}
