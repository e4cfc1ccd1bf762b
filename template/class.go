package template

import "fmt"

// Class is the type of value that a field holds. It is part of a kind's schema and never changes for a field, except
// that Int and Uint are one family: integers compare as integers whatever their width or sign. The numbers are part of
// the wire protocol and of the log: append only.
type Class uint8

const (
	Bool     Class = 1
	Int      Class = 2 // every signed integer type
	Uint     Class = 3 // every unsigned integer type; same family as Int
	Float    Class = 4 // float32 and float64
	String   Class = 5
	Bytes    Class = 6 // []byte and [n]byte
	Time     Class = 7 // time.Time, as an instant
	Duration Class = 8 // time.Duration, in nanoseconds
	List     Class = 9 // other slices and arrays
	Map      Class = 10
	Struct   Class = 11 // nested struct values; encoded as a Map from field name to value
)

var classNames = [...]string{
	Bool: "bool", Int: "int", Uint: "uint", Float: "float", String: "string", Bytes: "bytes",
	Time: "time", Duration: "duration", List: "list", Map: "map", Struct: "struct",
}

// String returns the lower-case name of c, as it appears in error messages and in `gospaces kinds`.
func (c Class) String() string {
	if c.Valid() {
		return classNames[c]
	}
	return fmt.Sprintf("class(%d)", uint8(c))
}

// Valid reports whether c is one of the classes above.
func (c Class) Valid() bool { return c >= Bool && c <= Struct }

// Ordered reports whether values of c have an order, so that ranges and orderings may name such a field.
func (c Class) Ordered() bool { return c >= Bool && c <= Duration }

// SameFamily reports whether values of c and d compare with each other, so that one may follow the other in a schema.
func (c Class) SameFamily(d Class) bool { return c.family() == d.family() }

func (c Class) family() Class {
	switch c {
	case Uint:
		return Int
	case Struct:
		return Map
	}
	return c
}
