package template

import (
	"errors"
	"fmt"
	"reflect"
)

// fieldError is an error about a field of a Go type that cannot be stored, however deep it is nested.
type fieldError struct {
	path string // names of Go fields, with dots between them
	of   reflect.Type
	err  error
}

func (e *fieldError) Error() string { return fmt.Sprintf("field %s of %s: %v", e.path, e.of, e.err) }

func (e *fieldError) Unwrap() error { return e.err }

// inField returns err as an error about the field of t in which it was found.
func inField(name string, t reflect.Type, err error) error {
	if e, ok := errors.AsType[*fieldError](err); ok {
		return &fieldError{name + "." + e.path, t, e.err}
	}
	return &fieldError{name, t, err}
}

// nestedError is an error about a value within a nested one.
type nestedError struct {
	path string // stored names, with dots between them
	err  error
}

func (e *nestedError) Error() string { return fmt.Sprintf("at %q: %v", e.path, e.err) }

func (e *nestedError) Unwrap() error { return e.err }

// inside returns err as an error about the named member. Where a value nests too deeply is of no interest.
func inside(name string, err error) error {
	if err == errTooDeep {
		return err
	}
	if e, ok := errors.AsType[*nestedError](err); ok {
		return &nestedError{name + "." + e.path, e.err}
	}
	return &nestedError{name, err}
}
