package impl

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/template"
)

// Call is a call that takes a query.
type Call uint8

// The calls that take a query.
const (
	Read Call = iota
	Take
	Count
	Contents
	Notify
)

// queryPart is a set of the parts of a query that not every call honours.
type queryPart uint16

const (
	partID queryPart = 1 << iota
	partOrder
	partMax
	partWait
	partIfExists
	partBegin
	partLease
	partClaim
	partHeld
	partHidden
)

// honoured says what each call makes of a query besides its templates and its transaction, which all honour. A count
// counts all, whatever a call that returns entries would be bounded to; NoWait is true of every call that never waits.
var honoured = [...]queryPart{
	Read:     partID | partOrder | partMax | partWait | partIfExists | partClaim | partHeld | partHidden,
	Take:     partID | partOrder | partMax | partWait | partIfExists | partBegin | partLease,
	Count:    partID | partMax | partHeld,
	Contents: partID | partMax | partHeld | partHidden,
	Notify:   0,
}

// Check reports, as ErrInvalidArgument, what makes q a query that can never be right for a call: nothing may be asked
// for in vain. What only the space can know, which includes the fields that templates name, it leaves open.
func Check(q *space.Query, c Call) error {
	if len(q.Templates) == 0 {
		return invalid("there is no template")
	}
	for i, t := range q.Templates {
		if t == nil {
			return invalid("template %d of %d is nil: one that matches everything is empty", i+1, len(q.Templates))
		}
	}
	if err := checkSize(q); err != nil {
		return err
	}
	switch {
	case q.Max < 0:
		return invalid("max %d is negative", q.Max)
	case q.Wait < 0:
		return invalid("wait %v is negative", q.Wait)
	case q.Lease < 0:
		return invalid("lease %v is negative", q.Lease)
	}
	for i, o := range q.Order {
		if slices.ContainsFunc(q.Order[:i], func(p template.Order) bool { return p.Field == o.Field }) {
			return invalid("the order names field %d twice", o.Field)
		}
	}
	given := parts(q)
	if rest := given &^ honoured[c]; rest != 0 {
		return invalid("%v of a query has no meaning for %v", rest, c)
	}
	switch {
	case q.Begin && !q.Txn.IsZero():
		return invalid("transactions cannot be nested")
	case q.Claim && q.Txn.IsZero():
		return invalid("a claim needs a transaction")
	case q.Held && !q.Txn.IsZero():
		return invalid("entries that are held are read under no transaction: leave Txn out")
	case q.Held && q.Wait != 0:
		return invalid("a query for entries that are held does not wait: leave Wait out")
	case q.Hidden != nil && q.Held:
		return invalid("a query for entries that are held hides none: leave Hidden out")
	case q.Hidden != nil && (q.Wait != 0 || q.IfExists || q.Claim):
		return invalid("a query that tells what is hidden does not wait: leave Wait, IfExists and Claim out")
	}
	return nil
}

// parts returns the parts of q that are set.
func parts(q *space.Query) (given queryPart) {
	set := func(part queryPart, is bool) {
		if is {
			given |= part
		}
	}
	set(partID, q.ID != 0)
	set(partOrder, len(q.Order) > 0)
	set(partMax, q.Max != 0)
	set(partWait, q.Wait != 0)
	set(partIfExists, q.IfExists)
	set(partBegin, q.Begin)
	set(partLease, q.Lease != 0)
	set(partClaim, q.Claim)
	set(partHeld, q.Held)
	set(partHidden, q.Hidden != nil)
	return given
}

// String names the parts as they are called in Query.
func (s queryPart) String() string {
	var names []string
	for i, name := range [...]string{
		"ID", "Order", "Max", "Wait", "IfExists", "Begin", "Lease", "Claim", "Held",
		"Hidden",
	} {
		if s&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// String names the call.
func (c Call) String() string {
	return [...]string{"Read", "Take", "Count", "Contents", "Notify"}[c]
}

// invalid returns an error that wraps space.ErrInvalidArgument.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{space.ErrInvalidArgument}, args...)...)
}
