package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/gospaces/gospaces/template"
)

// cond returns the condition that c means for entries with the given schema.
func (c comparison) cond(s *template.Schema) (template.Cond, error) {
	i := s.Index(c.field)
	if i < 0 {
		return template.Cond{}, noField(s, c.field)
	}
	var values []template.Value
	for _, text := range c.operands {
		v, err := operand(s.Fields[i].Class, text)
		if errors.Is(err, errComposite) {
			return template.Cond{}, fmt.Errorf("field %q is of class %s: compare it in the JSON template",
				c.field, s.Fields[i].Class)
		}
		if err != nil {
			return template.Cond{}, fmt.Errorf("field %q is of class %s, and %q is no such value",
				c.field, s.Fields[i].Class, text)
		}
		_, value, err := s.Operand(c.field, v)
		if err != nil {
			return template.Cond{}, err
		}
		values = append(values, value)
	}
	cond := template.Cond{Field: i, Op: c.op}
	switch {
	case c.op == template.In:
		cond.Values = values
	case len(values) > 0:
		cond.Value = values[0]
	}
	return cond, nil
}

// errComposite is returned for classes whose values have no short form.
var errComposite = errors.New("has no short form")

// operand parses text as a value of class c, in the form of JSON entries but without quotes.
func operand(c template.Class, text string) (any, error) {
	switch c {
	case template.Bool:
		return strconv.ParseBool(text)
	case template.Int, template.Uint:
		if i, err := strconv.ParseInt(text, 10, 64); err == nil {
			return i, nil
		}
		return strconv.ParseUint(text, 10, 64)
	case template.Float:
		return strconv.ParseFloat(text, 64)
	case template.String:
		return text, nil
	case template.Bytes:
		return base64.StdEncoding.DecodeString(text)
	case template.Time:
		return time.Parse(time.RFC3339Nano, text)
	case template.Duration:
		return time.ParseDuration(text)
	}
	return nil, errComposite
}
