package space

import (
	"fmt"

	"github.com/gospaces/gospaces/template"
)

// Criterion is a condition on one field, for Where. Operands are Go values of the field's class: any integer for an
// integer field, a string for a string field, and so on. For a null field only IsNull holds, not even Ne. Criteria are
// immutable and may be used for many calls.
type Criterion struct {
	op       template.Op
	operand  any
	operands []any      // of OneOf
	and      *Criterion // a second condition on the same field
}

// Eq holds for values equal to v. Unlike a template's field, v may be zero.
func Eq(v any) Criterion { return Criterion{op: template.Eq, operand: v} }

// Ne holds for values that differ from v.
func Ne(v any) Criterion { return Criterion{op: template.Ne, operand: v} }

// Lt holds for values less than v.
func Lt(v any) Criterion { return Criterion{op: template.Lt, operand: v} }

// Le holds for values less than or equal to v.
func Le(v any) Criterion { return Criterion{op: template.Le, operand: v} }

// Gt holds for values greater than v.
func Gt(v any) Criterion { return Criterion{op: template.Gt, operand: v} }

// Ge holds for values greater than or equal to v.
func Ge(v any) Criterion { return Criterion{op: template.Ge, operand: v} }

// Between holds for values from lo to hi, both included.
func Between(lo, hi any) Criterion {
	upper := Le(hi)
	return Criterion{op: template.Ge, operand: lo, and: &upper}
}

// OneOf holds for values equal to one of vs, which must not be empty.
func OneOf(vs ...any) Criterion { return Criterion{op: template.In, operands: vs} }

// HasPrefix holds for strings and byte strings that begin with s.
func HasPrefix(s string) Criterion { return Criterion{op: template.Prefix, operand: s} }

// IsNull holds for fields that were stored as null (a nil pointer), or not stored at all.
func IsNull() Criterion { return Criterion{op: template.IsNull} }

// NotNull holds for fields that have a value.
func NotNull() Criterion { return Criterion{op: template.NotNull} }

// appendConds appends the conditions that c stands for on the named field of s. It returns ErrInvalidArgument if there
// is no such field, or its class does not have the comparison or the operand.
func (c *Criterion) appendConds(dst []template.Cond, s *template.Schema, field string) ([]template.Cond, error) {
	for ; c != nil; c = c.and {
		cond, err := c.cond(s, field)
		if err != nil {
			return nil, err
		}
		if err := template.CheckConds(s, []template.Cond{cond}); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrInvalidArgument, err)
		}
		dst = append(dst, cond)
	}
	return dst, nil
}

func (c *Criterion) cond(s *template.Schema, field string) (template.Cond, error) {
	i := s.Index(field)
	if i < 0 {
		return template.Cond{}, invalid("kind %q has no field %q", s.Kind, field)
	}
	cond := template.Cond{Field: i, Op: c.op}
	var err error
	switch c.op {
	case 0:
		return cond, invalid("the criterion for field %q is empty: use Eq, Lt, …", field)
	case template.IsNull, template.NotNull:
	case template.Prefix:
		cond.Value, err = prefix(s.Fields[i], c.operand.(string))
	case template.In:
		cond.Values, err = operands(s, field, c.operands)
	default:
		cond.Value, err = operand(s, field, c.operand)
	}
	return cond, err
}

func operands(s *template.Schema, field string, vs []any) ([]template.Value, error) {
	if len(vs) == 0 {
		return nil, invalid("OneOf for field %q has no values", field)
	}
	values := make([]template.Value, len(vs))
	for i, v := range vs {
		var err error
		if values[i], err = operand(s, field, v); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// operand encodes v for comparisons with a field of s.
func operand(s *template.Schema, field string, v any) (template.Value, error) {
	_, value, err := s.Operand(field, v)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidArgument, err)
	}
	if value == nil {
		return nil, invalid("field %q of kind %q cannot be compared with null: use IsNull or NotNull", field, s.Kind)
	}
	return value, nil
}

// prefix encodes the operand of HasPrefix, which is of the field's own class.
func prefix(f template.Field, p string) (template.Value, error) {
	switch f.Class {
	case template.String:
		return template.AppendString(nil, p), nil
	case template.Bytes:
		return template.AppendBytes(nil, []byte(p)), nil
	}
	return nil, invalid("field %q is a %s, which has no prefixes", f.Name, f.Class)
}

// invalid returns an error that wraps ErrInvalidArgument.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrInvalidArgument}, args...)...)
}
