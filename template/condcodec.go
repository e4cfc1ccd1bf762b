package template

import (
	"encoding/binary"
	"fmt"
)

// Limits of a template and of an ordering.
const (
	MaxOperands = 1 << 14 // conditions and operands, see Operands; of a query, in all its templates
	MaxOrder    = 64      // keys in an ordering
)

// takesValue reports whether a condition with op has one operand, in Value.
func (op Op) takesValue() bool { return op >= Eq && op <= Ge || op == Prefix }

// AppendConds appends the encoding of conds.
func AppendConds(dst []byte, conds []Cond) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(conds)))
	for i := range conds {
		c := &conds[i]
		dst = append(binary.AppendUvarint(dst, uint64(c.Field)), byte(c.Op))
		switch {
		case c.Op.takesValue():
			dst = appendPrefixed(dst, c.Value)
		case c.Op == In:
			dst = binary.AppendUvarint(dst, uint64(len(c.Values)))
			for _, v := range c.Values {
				dst = appendPrefixed(dst, v)
			}
		}
	}
	return dst
}

// DecodeConds decodes conditions from the front of b and returns the rest of b. The conditions share nothing with b. It
// returns ErrMalformed for other bytes. It does not check that the conditions fit a kind; see CheckConds.
func DecodeConds(b []byte) (conds []Cond, rest []byte, err error) {
	r := reader{b: b}
	for n := r.count(MaxOperands); n > 0 && !r.bad; n-- {
		conds = append(conds, r.cond())
	}
	if r.bad {
		return nil, nil, fmt.Errorf("%w of conditions", ErrMalformed)
	}
	detach(conds)
	return conds, r.b, nil
}

func (r *reader) cond() Cond {
	c := Cond{Field: r.count(MaxFields - 1), Op: Op(r.byte())}
	switch {
	case c.Op.takesValue():
		c.Value = r.operand()
	case c.Op == In:
		for n := r.count(MaxOperands); n > 0 && !r.bad; n-- {
			c.Values = append(c.Values, r.operand())
		}
	case c.Op != IsNull && c.Op != NotNull:
		r.bad = true // the number of its operands is unknown
	}
	return c
}

// operand reads a value that is not null.
func (r *reader) operand() Value {
	v := r.bytes()
	r.bad = r.bad || v == nil
	return v
}

// detach copies the operands of conds to memory of their own.
func detach(conds []Cond) {
	size := 0
	for i := range conds {
		size += len(conds[i].Value)
		for _, v := range conds[i].Values {
			size += len(v)
		}
	}
	memory := make([]byte, 0, size)
	move := func(v *Value) {
		if at := len(memory); *v != nil {
			memory = append(memory, *v...)
			*v = memory[at:len(memory):len(memory)]
		}
	}
	for i := range conds {
		move(&conds[i].Value)
		for k := range conds[i].Values {
			move(&conds[i].Values[k])
		}
	}
}

// AppendOrder appends the encoding of order.
func AppendOrder(dst []byte, order []Order) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(order)))
	for _, o := range order {
		key := uint64(o.Field) << 1
		if o.Desc {
			key |= 1
		}
		dst = binary.AppendUvarint(dst, key)
	}
	return dst
}

// DecodeOrder decodes an ordering from the front of b and returns the rest of b. It returns ErrMalformed for other
// bytes. It does not check that the ordering fits a kind; see CheckOrder.
func DecodeOrder(b []byte) (order []Order, rest []byte, err error) {
	r := reader{b: b}
	for n := r.count(MaxOrder); n > 0 && !r.bad; n-- {
		key := r.count(2*MaxFields - 1)
		order = append(order, Order{Field: key >> 1, Desc: key&1 == 1})
	}
	if r.bad {
		return nil, nil, fmt.Errorf("%w of an ordering", ErrMalformed)
	}
	return order, r.b, nil
}
