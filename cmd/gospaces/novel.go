package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/template"
)

// A misspelt name makes a new space, kind or field: silently in a library, and permanently in a schema. So a write
// reports new names on standard error: fields always, kinds and spaces if their names are similar to another.

// checkSpace reports, or refuses, that a write creates a space.
func (w *writer) checkSpace(ctx context.Context, c *client.Client) error {
	names, err := c.Spaces(ctx)
	if errors.Is(err, space.ErrUnavailable) && !w.strict {
		return nil // the write reports the error
	}
	if err != nil || slices.Contains(names, w.app.space) {
		return err
	}
	return w.novel(false, fmt.Sprintf("space %q", w.app.space), perhaps("", w.app.space, names))
}

// known returns the schema that the space has for the kind. If it has none, known reports, or refuses, that the kind is
// new, and returns nil.
func (w *writer) known(ctx context.Context) (*template.Schema, error) {
	kinds, err := w.space.Kinds(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, k := range kinds {
		if k.Schema.Kind == w.kind {
			return k.Schema, nil
		}
		names = append(names, k.Schema.Kind)
	}
	w.mine = true
	return nil, w.novel(false, fmt.Sprintf("kind %q", w.kind), perhaps("", w.kind, names))
}

// checkFields reports, or refuses, that a write adds fields to an existing kind.
func (w *writer) checkFields(known, wanted *template.Schema) error {
	if w.mine {
		return nil
	}
	var names []string
	for _, f := range known.Fields {
		names = append(names, f.Name)
	}
	for _, f := range wanted.Fields[len(known.Fields):] {
		err := w.novel(true, fmt.Sprintf("field %q of kind %q", f.Name, w.kind), perhaps("", f.Name, names))
		if err != nil {
			return err
		}
	}
	return nil
}

// novel reports something new, always or only if a similar name exists; with --strict it refuses it.
func (w *writer) novel(always bool, what, perhaps string) error {
	if w.strict {
		return usage("%s is not there%s", what, perhaps)
	}
	if always || perhaps != "" {
		fmt.Fprintf(w.stderr, "gospaces: %s is new%s\n", what, perhaps)
	}
	return nil
}
