package template

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// AppendPlainJSON appends the value of a JSON text that has no class, as ParseJSON does inside lists and maps: a number
// with a point or exponent, or beyond all integers, is a float; other numbers are integers; objects are maps. It
// appends nothing for null. It returns an error for text that is not JSON, and for an object that repeats a key.
//
// It is meant for many small texts: it allocates only room in dst, as long as the keys of objects are sorted.
func AppendPlainJSON(dst, text []byte) ([]byte, error) {
	p := plainParser{text}
	dst, err := p.value(dst, 0)
	if err != nil {
		return dst, err
	}
	if p.next(); len(p.rest) > 0 {
		return dst, errJSON
	}
	return dst, nil
}

var errJSON = errors.New("template: this is not JSON")

// plainParser takes values off the front of a text.
type plainParser struct{ rest []byte }

// next skips space and returns the next byte without consuming it; 0 at the end.
func (p *plainParser) next() byte {
	for len(p.rest) > 0 {
		switch c := p.rest[0]; c {
		case ' ', '\t', '\n', '\r':
			p.rest = p.rest[1:]
		default:
			return c
		}
	}
	return 0
}

func (p *plainParser) value(dst []byte, depth int) ([]byte, error) {
	switch c := p.next(); c {
	case '{':
		return p.object(dst, depth)
	case '[':
		return p.array(dst, depth)
	case '"':
		return p.text(append(dst, tagString))
	case 't':
		return AppendBool(dst, true), p.word("true")
	case 'f':
		return AppendBool(dst, false), p.word("false")
	case 'n':
		return dst, p.word("null")
	}
	return p.number(dst)
}

func (p *plainParser) word(w string) error {
	rest, ok := bytes.CutPrefix(p.rest, []byte(w))
	if !ok {
		return errJSON
	}
	p.rest = rest
	return nil
}

// number appends the number at the front. The caller checks what follows it.
func (p *plainParser) number(dst []byte) ([]byte, error) {
	end, whole := 0, true
	for ; end < len(p.rest); end++ {
		c := p.rest[end]
		if c == '.' || c == 'e' || c == 'E' {
			whole = false
		} else if (c < '0' || c > '9') && c != '-' && c != '+' {
			break
		}
	}
	digits := p.rest[:end]
	p.rest = p.rest[end:]
	if whole {
		if i, err := strconv.ParseInt(string(digits), 10, 64); err == nil {
			return AppendInt(dst, i), nil
		}
		if u, err := strconv.ParseUint(string(digits), 10, 64); err == nil {
			return AppendUint(dst, u), nil
		}
	}
	f, err := strconv.ParseFloat(string(digits), 64)
	if err != nil {
		return dst, fmt.Errorf("%w: number %q", errJSON, digits)
	}
	return AppendFloat(dst, f), nil
}

// text appends the bytes of the string at the front.
func (p *plainParser) text(dst []byte) ([]byte, error) {
	for end := 1; end < len(p.rest); end++ {
		switch p.rest[end] {
		case '\\':
			return p.escaped(dst, end)
		case '"':
			dst = append(dst, p.rest[1:end]...)
			p.rest = p.rest[end+1:]
			return dst, nil
		}
	}
	return dst, errJSON
}

// escaped is text for a string with a backslash at the given place.
func (p *plainParser) escaped(dst []byte, at int) ([]byte, error) {
	for ; at < len(p.rest) && p.rest[at] != '"'; at++ {
		if p.rest[at] == '\\' {
			at++
		}
	}
	if at >= len(p.rest) {
		return dst, errJSON
	}
	var s string
	if err := json.Unmarshal(p.rest[:at+1], &s); err != nil {
		return dst, fmt.Errorf("%w: %w", errJSON, err)
	}
	p.rest = p.rest[at+1:]
	return append(dst, s...), nil
}

// follows consumes a comma or the closing bracket, and reports whether another element follows.
func (p *plainParser) follows(end byte) (more bool, err error) {
	c := p.next()
	if c != ',' && c != end {
		return false, errJSON
	}
	p.rest = p.rest[1:]
	return c == ',', nil
}

// begin consumes the opening bracket and reports whether there are elements before the closing one.
func (p *plainParser) begin(end byte, depth int) (more bool, err error) {
	if depth >= maxDepth {
		return false, errTooDeep
	}
	p.rest = p.rest[1:]
	if p.next() != end {
		return true, nil
	}
	p.rest = p.rest[1:]
	return false, nil
}

func (p *plainParser) array(dst []byte, depth int) ([]byte, error) {
	dst = append(dst, tagList)
	more, err := p.begin(']', depth)
	for more && err == nil {
		at := len(dst)
		if dst, err = p.value(append(dst, 0), depth+1); err != nil {
			break
		}
		dst = fixSize(dst, at)
		more, err = p.follows(']')
	}
	return dst, err
}

func (p *plainParser) object(dst []byte, depth int) ([]byte, error) {
	start := len(dst)
	dst = append(dst, tagMap)
	more, err := p.begin('}', depth)
	sorted := true
	var last Value
	for more && err == nil {
		at := len(dst)
		if dst, err = p.member(dst, depth); err != nil {
			break
		}
		key, _, _ := cut(dst[at:])
		sorted = sorted && bytes.Compare(last, key) < 0
		last = key
		more, err = p.follows('}')
	}
	if err != nil || sorted {
		return dst, err
	}
	return sortPairs(dst, start), nil
}

// member appends the key and the value at the front.
func (p *plainParser) member(dst []byte, depth int) ([]byte, error) {
	if p.next() != '"' {
		return dst, errJSON
	}
	at := len(dst)
	dst, err := p.text(append(dst, 0, tagString))
	if err != nil {
		return dst, err
	}
	dst = fixSize(dst, at)
	if p.next() != ':' {
		return dst, errJSON
	}
	p.rest = p.rest[1:]
	at = len(dst)
	if dst, err = p.value(append(dst, 0), depth+1); err != nil {
		return dst, err
	}
	return fixSize(dst, at), nil
}

// sortPairs sorts the pairs of the map that begins at dst[start] and ends dst. Of pairs with the same key it keeps the
// last.
func sortPairs(dst []byte, start int) []byte {
	var pairs []pair
	for rest := slices.Clone(dst[start+1:]); len(rest) > 0; {
		key, after, _ := cut(rest)
		_, next, _ := cut(after)
		pairs = append(pairs, pair{key, rest[:len(rest)-len(next)]})
		rest = next
	}
	slices.SortStableFunc(pairs, func(a, b pair) int { return bytes.Compare(a.key, b.key) })
	dst = dst[:start+1]
	for i, p := range pairs {
		if i+1 == len(pairs) || !bytes.Equal(p.key, pairs[i+1].key) {
			dst = append(dst, p.both...)
		}
	}
	return dst
}
