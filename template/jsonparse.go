package template

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// ParseJSON returns the row of s that a JSON object describes, in the form that AppendJSON writes; a duration may also
// be an integer of nanoseconds. A null member is a null field even if s lacks it, since InferSchema adds no field for
// it. Inside lists and maps the JSON alone decides the class: a number with a point or exponent is a float, other
// numbers are integers, and there are neither times nor byte strings. If s lacks a field, or a value does not fit,
// ParseJSON returns an error that names the field.
func ParseJSON(s *Schema, data []byte) (Row, error) {
	members, err := parseObject(data)
	if err != nil {
		return nil, err
	}
	fields := make(map[string]any, len(members))
	for _, m := range members {
		if m.value == nil {
			continue
		}
		if fields[m.name], err = m.fieldValue(s); err != nil {
			return nil, err
		}
	}
	return RowFromMap(s, fields)
}

// CondsFromJSON returns the conditions of a template given as a JSON object: a given field must be equal, and an
// explicit null must be null. It returns the errors of ParseJSON.
func CondsFromJSON(s *Schema, data []byte) ([]Cond, error) {
	members, err := parseObject(data)
	if err != nil {
		return nil, err
	}
	var conds []Cond
	for _, m := range members {
		x, err := m.fieldValue(s)
		if err != nil {
			return nil, err
		}
		if x == nil {
			conds = append(conds, Cond{Field: s.Index(m.name), Op: IsNull})
			continue
		}
		i, v, err := s.Operand(m.name, x)
		if err != nil {
			return nil, fmt.Errorf("template: %w", err)
		}
		conds = append(conds, Cond{Field: i, Op: Eq, Value: v})
	}
	return conds, nil
}

// jsonMember is one member of a JSON object; its numbers are json.Number.
type jsonMember struct {
	name  string
	value any
}

// parseObject returns the members of the one JSON object in data, in its order, which a Go map would lose.
func parseObject(data []byte) ([]jsonMember, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	switch t, err := d.Token(); {
	case err != nil:
		return nil, badJSON(err)
	case t != json.Delim('{'):
		return nil, errors.New("template: not a JSON object")
	}
	var members []jsonMember
	seen := make(map[string]bool)
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, badJSON(err)
		}
		m := jsonMember{name: key.(string)} // the decoder accepts only string keys inside an object
		if err := d.Decode(&m.value); err != nil {
			return nil, fmt.Errorf("field %q: %w", m.name, badJSON(err))
		}
		if seen[m.name] {
			return nil, fmt.Errorf("template: field %q is there twice", m.name)
		}
		seen[m.name] = true
		members = append(members, m)
	}
	if _, err := d.Token(); err != nil {
		return nil, badJSON(err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("template: more than one JSON object")
	}
	return members, nil
}

// badJSON describes an error of the decoder.
func badJSON(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("template: the JSON ends early")
	}
	return fmt.Errorf("template: not JSON: %w", err)
}

// fieldValue returns m as a Go value of the class of its field in s; nil for null.
func (m jsonMember) fieldValue(s *Schema) (any, error) {
	i := s.Index(m.name)
	if i < 0 {
		return nil, fmt.Errorf("template: kind %q has no field %q", s.Kind, m.name)
	}
	if m.value == nil {
		return nil, nil
	}
	x, err := fromJSON(s.Fields[i].Class, m.value)
	if err != nil {
		return nil, fmt.Errorf("template: field %q of kind %q: %w", m.name, s.Kind, err)
	}
	return x, nil
}

// fromJSON turns a decoded JSON value into a Go value of class c, if JSON has no such type of its own.
func fromJSON(c Class, x any) (any, error) {
	switch x := x.(type) {
	case string:
		return stringFromJSON(c, x)
	case json.Number:
		return numberFromJSON(c, x)
	}
	return plainJSON(x, c == Struct)
}

func stringFromJSON(c Class, x string) (any, error) {
	switch c {
	case Bytes:
		return base64.StdEncoding.DecodeString(x)
	case Time:
		return timeFromJSON(x)
	case Duration:
		return time.ParseDuration(x)
	case Float:
		switch x {
		case "NaN":
			return math.NaN(), nil
		case "+Inf":
			return math.Inf(1), nil
		case "-Inf":
			return math.Inf(-1), nil
		}
	}
	return x, nil
}

// timeFromJSON refuses the few times at the ends of the calendar that have no text in UTC, and so could not be written
// again.
func timeFromJSON(x string) (any, error) {
	t, err := time.Parse(time.RFC3339Nano, x)
	if year := t.UTC().Year(); err == nil && (year < 0 || year > 9999) {
		err = fmt.Errorf("time %s is not within the years 0 to 9999 in UTC", x)
	}
	return t, err
}

func numberFromJSON(c Class, x json.Number) (any, error) {
	switch c {
	case Float:
		f, err := x.Float64()
		return f, noNumber(x, err)
	case Duration:
		ns, err := x.Int64()
		return time.Duration(ns), noNumber(x, err)
	}
	return plainNumber(x)
}

// plainNumber returns x as an int64, uint64 or float64, depending on how it is written.
func plainNumber(x json.Number) (any, error) {
	if strings.ContainsAny(x.String(), ".eE") {
		f, err := x.Float64()
		return f, noNumber(x, err)
	}
	if i, err := x.Int64(); err == nil {
		return i, nil
	}
	u, err := strconv.ParseUint(x.String(), 10, 64)
	return u, noNumber(x, err)
}

// noNumber says why x is not a number, without the name of the function that parsed it.
func noNumber(x json.Number, err error) error {
	if e, ok := errors.AsType[*strconv.NumError](err); ok {
		return fmt.Errorf("number %s: %w", x, e.Err)
	}
	return err
}

// plainJSON turns the numbers in x into Go numbers. Nested structs have no nulls, so nulls are dropped from objects
// that stand for structs.
func plainJSON(x any, dropNulls bool) (any, error) {
	var err error
	switch x := x.(type) {
	case json.Number:
		return plainNumber(x)
	case []any:
		for i := range x {
			if x[i], err = plainJSON(x[i], dropNulls); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for k := range x {
			if x[k] == nil && dropNulls {
				delete(x, k)
			} else if x[k], err = plainJSON(x[k], dropNulls); err != nil {
				return nil, err
			}
		}
	}
	return x, nil
}
