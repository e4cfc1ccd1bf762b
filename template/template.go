package template

import (
	"bytes"
	"fmt"
)

// Op is the comparison of one condition. The numbers are part of the wire protocol and of the log: append only.
type Op uint8

const (
	Eq      Op = 1
	Ne      Op = 2
	Lt      Op = 3
	Le      Op = 4
	Gt      Op = 5
	Ge      Op = 6
	In      Op = 7 // equal to one of Values
	Prefix  Op = 8 // strings and byte strings that begin with Value
	IsNull  Op = 9
	NotNull Op = 10
)

var opNames = [...]string{
	Eq: "=", Ne: "!=", Lt: "<", Le: "<=", Gt: ">", Ge: ">=", In: "in", Prefix: "prefix", IsNull: "is null",
	NotNull: "is not null",
}

// String returns op as it appears in error messages.
func (op Op) String() string {
	if op >= Eq && op <= NotNull {
		return opNames[op]
	}
	return fmt.Sprintf("op(%d)", uint8(op))
}

// Cond is one condition on one field. Every comparison but IsNull is false for a null field, including Ne, as in SQL.
type Cond struct {
	Field  int // position among the fields of the template
	Op     Op
	Value  Value   // the operand; nil for In, IsNull and NotNull
	Values []Value // operands of In
}

// Template selects entries: those of Kind, and of every kind that embeds it, for which all conditions hold. The zero
// Template matches every entry. A template without a kind has no conditions. Templates are immutable once passed to a
// call.
//
// A template with its own Fields can name a kind, or fields, that a space does not have yet: the space resolves the
// fields by name at each match.
type Template struct {
	Kind  string
	Conds []Cond
	// the fields that conditions and orderings refer to by position; nil: those of the kind's schema in the space
	Fields []Field
}

// Order is one key of an explicit ordering. Null sorts before every value, or after if descending.
type Order struct {
	Field int // position among the fields of the template
	Desc  bool
}

// Match reports whether v satisfies c.
func (c *Cond) Match(v Value) bool {
	if v == nil {
		return c.Op == IsNull
	}
	switch c.Op {
	case Eq:
		return bytes.Equal(v, c.Value)
	case Ne:
		return !bytes.Equal(v, c.Value)
	case Lt:
		return bytes.Compare(v, c.Value) < 0
	case Le:
		return bytes.Compare(v, c.Value) <= 0
	case Gt:
		return bytes.Compare(v, c.Value) > 0
	case Ge:
		return bytes.Compare(v, c.Value) >= 0
	case Prefix:
		return bytes.HasPrefix(v, c.Value)
	case NotNull:
		return true
	case In:
		for _, w := range c.Values {
			if bytes.Equal(v, w) {
				return true
			}
		}
	}
	return false
}

// Match reports whether a row, with fields in the order of the template's, satisfies every condition. It ignores the
// kind.
func (t *Template) Match(r Row) bool {
	for i := range t.Conds {
		if c := &t.Conds[i]; !c.Match(r.Field(c.Field)) {
			return false
		}
	}
	return true
}
