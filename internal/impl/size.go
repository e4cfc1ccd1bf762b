package impl

import (
	"fmt"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/template"
)

// checkSize returns an error if q is larger than a query may be. The limits are those of the protocol, and the same for
// every implementation.
func checkSize(q *space.Query) error {
	operands, fields, size := 0, 0, 0
	for _, t := range q.Templates {
		operands += template.Operands(t.Conds)
		fields += len(t.Fields)
		size += bytesOf(t.Conds)
	}
	if err := call.CheckTemplates(len(q.Templates), operands); err != nil {
		return err
	}
	switch {
	case fields > call.MaxQueryFields:
		return invalid("the templates of one query have %d fields; at most %d are allowed: ask in parts", fields,
			call.MaxQueryFields)
	case size > call.MaxQueryBytes:
		return fmt.Errorf("%w: operands of %d bytes in one query; at most %d are allowed: ask in parts",
			space.ErrTooLarge, size, call.MaxQueryBytes)
	}
	return nil
}

// bytesOf returns the size of the operands of conds.
func bytesOf(conds []template.Cond) (n int) {
	for i := range conds {
		n += len(conds[i].Value)
		for _, v := range conds[i].Values {
			n += len(v)
		}
	}
	return n
}
