package template

import "fmt"

// UnusableEntryError is returned when a stored entry does not fit the Go type that asked for it.
type UnusableEntryError struct {
	Kind   string         // the entry's own kind
	Fields map[string]any // the entry as it is stored: Value.Any by field name, without the nulls
	Err    error          // what does not fit
}

// Error names the kind and says what does not fit.
func (e *UnusableEntryError) Error() string {
	return fmt.Sprintf("template: entry of kind %q is unusable: %v", e.Kind, e.Err)
}

// Unwrap returns what does not fit.
func (e *UnusableEntryError) Unwrap() error { return e.Err }

func (c *Codec) unusable(r Row, err error) error {
	return &UnusableEntryError{Kind: c.schema.Kind, Fields: r.Map(c.schema), Err: err}
}
