package engine

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/template"
)

func TestWatching_NamesKindsThatDoNotExist(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	q := &call.Query{Templates: []call.Template{
		{Named: &call.Named{Template: template.Template{Kind: "cloud"}}},
		{Kind: stoneKind},
		{},
	}, Max: 1}
	r := e.Notify(1, q, call.Events(call.Written), call.Forever)
	require.NoError(t, r.Err)
	w, ok := e.Watching(r.Grants[0].ID)
	require.True(t, ok)
	require.Equal(t, []string{"cloud", "stone", ""}, w.Kinds)
}
