package client_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/internal/server"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

func TestClient_SpacesAreSeparate(t *testing.T) {
	t.Parallel()
	c := startNode(t, server.Config{}).dial(client.Config{})
	_, err := space.Write(t.Context(), c.SpaceNamed("a"), job{ID: 1})
	require.NoError(t, err)
	_, err = space.Read(t.Context(), c.SpaceNamed("b"), job{}, space.NoWait())
	require.ErrorIs(t, err, space.ErrNoMatch)
	_, err = space.Read(t.Context(), c.SpaceNamed("a"), job{}, space.NoWait())
	require.NoError(t, err)
	_, err = space.Read(t.Context(), c.SpaceNamed("-"), job{})
	require.ErrorIs(t, err, space.ErrInvalidArgument)

	names, err := c.Spaces(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"a", "default"}, names, "no read creates one")
	status, err := c.Status(t.Context())
	require.NoError(t, err)
	require.JSONEq(t, `{"state":"fine"}`, string(status))
}

// A wildcard finds entries of kinds that this client has never heard of, and kinds that have grown.
func TestClient_LearnsSchemasOfOthers(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	writer, reader := n.dial(client.Config{}), n.dial(client.Config{})
	register := func(fields ...template.Field) *template.Schema {
		s, err := writer.Register(t.Context(), &template.Schema{Kind: "k", Fields: fields})
		require.NoError(t, err)
		return s
	}
	a, b := template.Field{Name: "a", Class: template.Int}, template.Field{Name: "b", Class: template.String}
	write := func(row template.Row) {
		_, err := writer.Write(t.Context(), txn.ID{}, []space.Draft{{Kind: "k", Row: row, Lease: space.Forever}})
		require.NoError(t, err)
	}
	all := space.Query{Templates: []*template.Template{{}}, NoWait: true}

	register(a)
	write(template.Row{1, 0x18})
	got, err := reader.Take(t.Context(), all)
	require.NoError(t, err)
	require.Equal(t, []template.Field{a}, got[0].Schema.Fields)

	require.Equal(t, []template.Field{a, b}, register(b).Fields)
	write(template.Row{0, 2, 0x40, 'x'})
	got, err = reader.Take(t.Context(), all)
	require.NoError(t, err)
	require.Equal(t, []template.Field{a, b}, got[0].Schema.Fields)
	require.Equal(t, template.Value{0x40, 'x'}, got[0].Row.Field(1))
}

func TestClient_ErrorsAreTheSameAsInProcess(t *testing.T) {
	t.Parallel()
	c := startNode(t, server.Config{}).dial(client.Config{})
	ctx := t.Context()
	kind := func(class template.Class) *template.Schema {
		return &template.Schema{Kind: "k", Fields: []template.Field{{Name: "f", Class: class}}}
	}
	_, err := c.Register(ctx, kind(template.Int))
	require.NoError(t, err)
	_, err = c.Write(ctx, txn.ID{}, []space.Draft{{Kind: "k", Lease: space.Forever}})
	require.NoError(t, err)
	_, err = c.Register(ctx, kind(template.String))
	require.ErrorIs(t, err, space.ErrSchemaConflict)
	require.ErrorContains(t, err, `field "f"`)

	_, err = c.Write(ctx, txn.ID{}, nil)
	require.ErrorIs(t, err, space.ErrInvalidArgument)
	_, err = c.Write(ctx, txn.ID{}, []space.Draft{{Kind: "nobody"}})
	require.ErrorIs(t, err, space.ErrInvalidArgument)
	_, err = c.Write(ctx, txn.ID{}, []space.Draft{{Kind: "k", Row: template.Row{1, 0xff}}})
	require.ErrorIs(t, err, space.ErrInvalidArgument)
	_, err = c.Write(ctx, txn.ID{}, []space.Draft{{Kind: "k", Lease: -1}})
	require.ErrorIs(t, err, space.ErrInvalidArgument)
	_, err = c.Read(ctx, space.Query{})
	require.ErrorIs(t, err, space.ErrInvalidArgument)
	big := append(template.Row{0xff, 0xff, 0xff, 0x03, 0x40}, make([]byte, 8<<20)...)
	_, err = c.Register(ctx, &template.Schema{Kind: "s", Fields: []template.Field{{Name: "f", Class: template.String}}})
	require.NoError(t, err)
	_, err = c.Write(ctx, txn.ID{}, []space.Draft{{Kind: "s", Row: big[:5+8<<20-2]}})
	require.ErrorIs(t, err, space.ErrTooLarge)
	_, err = c.Write(ctx, txn.ID{}, []space.Draft{{Kind: "s", Row: make([]byte, wire.DefaultMaxFrame)}})
	require.ErrorIs(t, err, space.ErrTooLarge)
	_, err = c.Renew(ctx, time.Hour, 4711)
	require.ErrorIs(t, err, space.ErrLeaseEnded)
	require.ErrorIs(t, c.Cancel(ctx, 4711), space.ErrLeaseEnded)
}

func TestClient_LargeAnswersComeInParts(t *testing.T) {
	t.Parallel()
	c := startNode(t, server.Config{MaxFrame: wire.MinMaxFrame + 1<<20}).dial(client.Config{})
	for i := range int64(50) {
		_, err := space.Write(t.Context(), c, job{ID: i, Payload: make([]byte, 100_000)})
		require.NoError(t, err)
	}
	n := 0
	for j, err := range space.Contents(t.Context(), c, job{}) {
		require.NoError(t, err)
		require.Len(t, j.Payload, 100_000)
		n++
	}
	require.Equal(t, 50, n)
	for next := int64(0); next < 50; {
		got, err := space.TakeAll(t.Context(), c, job{}, 50, space.NoWait()) // as many as one answer holds
		require.NoError(t, err)
		require.Greater(t, len(got), 1)
		for _, j := range got {
			require.Equal(t, next, j.ID)
			next++
		}
	}
}
