package template

import (
	"encoding/binary"
	"fmt"
)

// schemaVersion is the first byte of every encoded schema.
const schemaVersion = 1

// AppendSchema appends the encoding of s. It is deterministic: equal schemas have equal encodings.
func AppendSchema(dst []byte, s *Schema) []byte {
	dst = appendPrefixed(append(dst, schemaVersion), s.Kind)
	dst = binary.AppendUvarint(dst, uint64(len(s.Fields)))
	for _, f := range s.Fields {
		dst = appendPrefixed(append(dst, byte(f.Class), byte(f.Role)), f.Name)
	}
	dst = binary.AppendUvarint(dst, uint64(len(s.Supers)))
	for _, k := range s.Supers {
		dst = appendPrefixed(dst, k)
	}
	return dst
}

// DecodeSchema decodes the output of AppendSchema, all of b. It returns an error that wraps ErrMalformed for other
// bytes, and for a schema that fails Check. The result shares nothing with b.
func DecodeSchema(b []byte) (*Schema, error) {
	r := reader{b: b}
	if v := r.byte(); !r.bad && v != schemaVersion {
		return nil, fmt.Errorf("%w: schema version %d; this program reads version %d", ErrMalformed, v, schemaVersion)
	}
	s := &Schema{Kind: r.string()}
	for n := r.count(MaxFields); n > 0 && !r.bad; n-- {
		s.Fields = append(s.Fields, Field{Class: Class(r.byte()), Role: Role(r.byte()), Name: r.string()})
	}
	for n := r.count(MaxSupers); n > 0 && !r.bad; n-- {
		s.Supers = append(s.Supers, r.string())
	}
	if r.bad || len(r.b) > 0 {
		return nil, fmt.Errorf("%w of a schema", ErrMalformed)
	}
	if err := s.Check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return s, nil
}
