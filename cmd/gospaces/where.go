package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gospaces/gospaces/template"
)

// comparison is one parsed --where expression: FIELD OPERATOR OPERANDS, before the field's class is known.
//
//	state = new          priority >= 5          name ^= "job "
//	state in (new, old)  owner is null          owner is not null
type comparison struct {
	field    string
	op       template.Op
	operands []string // one; any number for In; none for the null tests
}

// symbols are the operators that are not words, longer ones first: "<" is a prefix of "<=".
var symbols = []struct {
	text string
	op   template.Op
}{
	{"!=", template.Ne},
	{"<=", template.Le},
	{">=", template.Ge},
	{"^=", template.Prefix},
	{"=", template.Eq},
	{"<", template.Lt},
	{">", template.Gt},
}

// parseWhere parses one --where expression. Its errors quote the expression and say what is expected.
func parseWhere(expr string) (comparison, error) {
	s := scanner{rest: expr}
	c := comparison{field: s.name()}
	if c.field == "" {
		return c, fmt.Errorf("--where %q: starts with no field name", expr)
	}
	var err error
	switch {
	case s.words("is", "not", "null"):
		c.op = template.NotNull
	case s.words("is", "null"):
		c.op = template.IsNull
	case s.words("in"):
		c.op = template.In
		c.operands, err = s.list()
	default:
		if c.op = s.symbol(); c.op == 0 {
			return c, fmt.Errorf(
				"--where %q: after the field comes = != < <= > >= ^= (prefix), in (…), is null or is not null",
				expr)
		}
		if s.rest != "" && strings.ContainsRune("=<>!", rune(s.rest[0])) {
			return c, fmt.Errorf("--where %q: the operators are = != < <= > >= and ^= (prefix); "+
				"quote a value that begins with %c", expr, s.rest[0])
		}
		quoted := strings.HasPrefix(s.space().rest, `"`)
		var v string
		v, err = s.operand("")
		c.operands = []string{v}
		if !quoted && severalIn(v) {
			return c, fmt.Errorf("--where %q: give each condition a --where of its own, all of which must hold; "+
				"quote a value that is a condition", expr)
		}
	}
	if err == nil && s.space().rest != "" {
		err = fmt.Errorf("unexpected %q at the end", s.rest)
	}
	if err != nil {
		return c, fmt.Errorf("--where %q: %w", expr, err)
	}
	return c, nil
}

// severalIn reports whether an unquoted value goes on with another condition, as in "5 and id = 1".
func severalIn(value string) bool {
	for _, word := range []string{" and ", " or ", " AND ", " OR ", " && ", " || "} {
		if _, rest, ok := strings.Cut(value, word); ok {
			if _, err := parseWhere(rest); err == nil {
				return true
			}
		}
	}
	return false
}

// scanner scans a --where expression from the left. Every method skips white space first.
type scanner struct {
	rest string
}

func (s *scanner) space() *scanner {
	s.rest = strings.TrimLeftFunc(s.rest, unicode.IsSpace)
	return s
}

// name scans a field name: letters, digits, '_' and '.'.
func (s *scanner) name() string {
	s.space()
	end := strings.IndexFunc(s.rest, func(r rune) bool {
		return r != '_' && r != '.' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
	if end < 0 {
		end = len(s.rest)
	}
	name := s.rest[:end]
	s.rest = s.rest[end:]
	return name
}

// words scans the given words, in any case, and reports whether all were there; if not, it scans none.
func (s *scanner) words(words ...string) bool {
	try := *s
	for _, w := range words {
		if !strings.EqualFold(try.name(), w) {
			return false
		}
	}
	*s = try
	return true
}

// symbol scans an operator, or returns 0.
func (s *scanner) symbol() template.Op {
	s.space()
	for _, sym := range symbols {
		if rest, ok := strings.CutPrefix(s.rest, sym.text); ok {
			s.rest = rest
			return sym.op
		}
	}
	return 0
}

// list scans "(a, b, …)".
func (s *scanner) list() ([]string, error) {
	if !s.take('(') {
		return nil, fmt.Errorf("after in comes a list in parentheses")
	}
	var all []string
	for {
		v, err := s.operand(",)")
		if err != nil {
			return nil, err
		}
		all = append(all, v)
		switch {
		case s.take(')'):
			return all, nil
		case !s.take(','):
			return nil, fmt.Errorf("the list needs a closing parenthesis")
		}
	}
}

// operand scans a value: a JSON string, or bare text up to one of the end characters (or the end of the expression).
func (s *scanner) operand(end string) (string, error) {
	s.space()
	if strings.HasPrefix(s.rest, `"`) {
		return s.quoted()
	}
	i := strings.IndexAny(s.rest, end)
	if i < 0 {
		i = len(s.rest)
	}
	v := strings.TrimRightFunc(s.rest[:i], unicode.IsSpace)
	s.rest = s.rest[i:]
	if v == "" {
		return "", fmt.Errorf(`a value is missing (the empty string is "")`)
	}
	if !utf8.ValidString(v) {
		return "", fmt.Errorf("the value is not UTF-8")
	}
	return v, nil
}

func (s *scanner) quoted() (string, error) {
	dec := json.NewDecoder(strings.NewReader(s.rest))
	var v string
	if err := dec.Decode(&v); err != nil {
		return "", fmt.Errorf("not a quoted string: %s", s.rest)
	}
	s.rest = s.rest[dec.InputOffset():]
	return v, nil
}

func (s *scanner) take(c byte) bool {
	if s.space().rest == "" || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	return true
}
