// Package template says what an entry is to a space, and which entries a template selects.
//
// An entry is a value of a Go struct type. It is stored as a kind and a row. The kind is a stable name, never the Go
// package path: what a Kind method of the type returns, else the type's own name in snake_case. The row is the fields,
// each encoded on its own, in the order of the kind's Schema. A space has one schema per kind, which only ever grows.
//
// A template selects entries: it names a kind and gives conditions on some of its fields. It matches entries of that
// kind and of every kind that embeds it. Codec.Template makes one from a Go value, whose zero fields are wildcards;
// Schema.Operand makes the operands of every other condition.
//
// A Value, the encoding of one field, is canonical and keeps order: equal values have equal bytes, and bytes.Compare is
// their order. So a space matches, indexes and sorts entries without decoding them, and a Go type is needed only where
// entries are made and used: Compile once per type, Bind to the schema that the space has, then AppendRow and
// DecodeRow.
//
// # Struct tags
//
// Every exported field is stored, under its name in snake_case unless its tag says otherwise:
//
//	ID       int64                            // stored as "id"
//	Customer string `space:"customer,route"`  // decides the partition of the entry
//	Number   string `space:"order_no,id"`     // identifies the entry to people
//	cache    []byte                           // not stored
//	Scratch  []byte `space:"-"`               // not stored
//
// Fields are bools, numbers but complex ones, strings, times, durations, bytes, and pointers, slices, arrays, maps and
// structs of them. A nil pointer, slice or map is null, and only these are: an empty slice is an empty list. An
// embedded struct is a kind that this one extends: its fields come first, as if they were the type's own.
//
// # Bytes from outside
//
// Value.Check, Row.Check, Schema.Check, CheckConds and CheckOrder decide whether what came from outside may be let in.
// Nothing in this package panics on what they refuse, or allocates much more for it than it has bytes.
package template
