package template

import (
	"errors"
	"fmt"
)

// CheckConds returns nil if every condition is legal for s: it names a field of s, its operation is defined for the
// field's class, and its operands are canonical and of the field's class family. Conditions from outside must pass it
// before they are matched.
func CheckConds(s *Schema, conds []Cond) error {
	if n := Operands(conds); n > MaxOperands {
		return fmt.Errorf("template: %d conditions and operands, more than %d", n, MaxOperands)
	}
	for i := range conds {
		c := &conds[i]
		if c.Field < 0 || c.Field >= len(s.Fields) {
			return fmt.Errorf("template: condition on field %d of kind %q, which has %d fields", c.Field, s.Kind, len(s.Fields))
		}
		if err := c.check(s.Fields[c.Field].Class); err != nil {
			return fmt.Errorf("template: condition on field %q of kind %q: %w", s.Fields[c.Field].Name, s.Kind, err)
		}
	}
	return nil
}

// Operands returns the number of operands in conds. A condition without operands counts as one.
func Operands(conds []Cond) (n int) {
	for i := range conds {
		n += max(1, len(conds[i].Values))
	}
	return n
}

func (c *Cond) check(class Class) error {
	if !c.Op.legal(class) {
		return fmt.Errorf("%s does not apply to a %s", c.Op, class)
	}
	if !c.Op.takesValue() && c.Value != nil || c.Op != In && c.Values != nil {
		return fmt.Errorf("%s with operands of another operation", c.Op)
	}
	if c.Op.takesValue() {
		return c.Value.Check(class)
	}
	if c.Op != In {
		return nil
	}
	if len(c.Values) == 0 {
		return errors.New("in without operands")
	}
	for _, v := range c.Values {
		if err := v.Check(class); err != nil {
			return err
		}
	}
	return nil
}

func (op Op) legal(c Class) bool {
	switch op {
	case Eq, Ne, In, IsNull, NotNull:
		return true
	case Lt, Le, Gt, Ge:
		return c.Ordered()
	case Prefix:
		return c == String || c == Bytes
	}
	return false
}

// CheckOrder returns nil if every key of order names a field of s whose class has an order.
func CheckOrder(s *Schema, order []Order) error {
	if len(order) > MaxOrder {
		return fmt.Errorf("template: ordering by %d keys, more than %d", len(order), MaxOrder)
	}
	for _, o := range order {
		if o.Field < 0 || o.Field >= len(s.Fields) {
			return fmt.Errorf("template: ordering by field %d of kind %q, which has %d fields", o.Field, s.Kind, len(s.Fields))
		}
		if f := s.Fields[o.Field]; !f.Class.Ordered() {
			return fmt.Errorf("template: ordering by field %q of kind %q: a %s has no order", f.Name, s.Kind, f.Class)
		}
	}
	return nil
}
