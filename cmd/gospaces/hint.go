package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/space"
)

// query returns the query for a selection, and says on standard error if the space does not know the kind.
func (a *app) query(ctx context.Context, sp space.Space, sel *selection, waits bool) (space.Query, error) {
	q, err := sel.query(ctx, sp, waits)
	if err != nil && !errors.Is(err, space.ErrNoMatch) {
		return q, err
	}
	return q, cmp.Or(a.hintKind(ctx, sp, sel.kind), err)
}

// hintKind says on standard error that the space does not know a kind, and which kind has a name like that.
func (a *app) hintKind(ctx context.Context, sp space.Space, kind string) error {
	if kind == "" || a.unknown {
		return nil
	}
	schema, err := sp.Schema(ctx, kind)
	if err != nil || schema != nil {
		return err
	}
	kinds, err := sp.Kinds(ctx)
	if err != nil {
		return err
	}
	names := make([]string, len(kinds))
	for i, k := range kinds {
		if names[i] = k.Schema.Kind; names[i] == kind {
			return nil // it was written just now
		}
	}
	fmt.Fprintf(a.stderr, "gospaces: space %q has no kind %q%s\n", a.space, kind, perhaps("", kind, names))
	return nil
}

// withKnownSpace is withSpace for a command that does not create the space. It says on standard error if there is none
// of that name.
func (a *app) withKnownSpace(ctx context.Context, do func(space.Space) error) error {
	return a.withClient(ctx, func(c *client.Client) error {
		known, err := a.hintSpace(ctx, c, a.space)
		if err != nil && !errors.Is(err, space.ErrUnavailable) {
			return err
		}
		a.unknown = err == nil && !known
		return do(c)
	})
}

// spaceNames is a client of a server, or of one node.
type spaceNames interface {
	Spaces(ctx context.Context) ([]string, error)
}

// hintSpace says on standard error that the server has no space of a name, and which has one like that.
func (a *app) hintSpace(ctx context.Context, c spaceNames, name string) (known bool, err error) {
	names, err := c.Spaces(ctx)
	if err != nil || slices.Contains(names, name) {
		return err == nil, err
	}
	fmt.Fprintf(a.stderr, "gospaces: there is no space %q%s\n", name, perhaps("", name, names))
	return false, nil
}
