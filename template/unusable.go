package template

import "fmt"

// UnusableEntryError is returned when a stored entry does not fit the Go type that asked for it.
type UnusableEntryError struct {
	Kind   string         // the entry's own kind
	Fields map[string]any // the stored entry: Value.Any by field name, without nulls
	Err    error          // which value does not fit, and why
}

// Error names the kind and describes the misfit.
func (e *UnusableEntryError) Error() string {
	return fmt.Sprintf("template: entry of kind %q is unusable: %v", e.Kind, e.Err)
}

// Unwrap returns Err.
func (e *UnusableEntryError) Unwrap() error { return e.Err }

func (c *Codec) unusable(r Row, err error) error {
	return &UnusableEntryError{Kind: c.schema.Kind, Fields: r.Map(c.schema), Err: err}
}
