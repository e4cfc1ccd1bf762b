// Package template defines how a space sees an entry, and which entries a template selects.
//
// An entry is a value of a Go struct type. It is stored as a kind and a row. The kind is a stable name, never the Go
// package path: the result of the type's Kind method, or else the type's own name in snake_case. The row holds the
// fields, each encoded on its own, in the order of the kind's Schema. A space has one schema per kind, which only
// grows.
//
// A template selects entries: it names a kind and gives conditions on some of its fields. It matches entries of that
// kind and of every kind that embeds it. Codec.Template makes one from a Go value, whose zero fields are wildcards;
// Schema.Operand makes the operands of every other condition.
//
// A Value, the encoding of one field, is canonical and keeps order: equal values have equal bytes, and bytes.Compare is
// their order. A space therefore matches, indexes and sorts entries without decoding them. Go types matter only where
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
// Fields are bools, numbers other than complex ones, strings, times, durations, bytes, and pointers, slices, arrays,
// maps and structs of them. Null is a nil pointer, slice or map and nothing else: an empty slice is an empty list. An
// embedded struct is a kind that this one extends: its fields come first, as if the type had declared them.
//
// # Bytes from outside
//
// Value.Check, Row.Check, Schema.Check, CheckConds and CheckOrder validate bytes from outside. No function of this
// package panics on input that they refuse, or allocates much more than the size of that input.
package template
