package engine

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

func TestFind_AnswersAreBounded(t *testing.T) {
	t.Parallel()
	e := New(Config{}, 0)
	e.Register(0, &template.Schema{Kind: "blob", Fields: []template.Field{{Name: "data", Class: template.Bytes}}})
	v := template.AppendBytes(nil, make([]byte, call.AnswerBytes/3))
	row := append(template.Row{0xd6, 0xaa, 0x55}, v...)
	require.Len(t, row.Field(0), len(v))
	for range 10 {
		e.Write(0, txn.ID{}, call.Request{}, []call.Draft{{Kind: 1, Row: row, Lease: call.Forever}})
	}
	q := &call.Query{Max: 100, Templates: []call.Template{{Kind: 1}}}
	got := 0
	for cursor, more := (call.Cursor{}), true; more; {
		r := e.Contents(0, q, cursor)
		require.LessOrEqual(t, len(r.Entries), 3)
		got += len(r.Entries)
		cursor, more = r.Cursor, r.More
	}
	require.Equal(t, 10, got)
	require.Equal(t, 10, e.Count(0, q).Count)
	q.Take = true
	for _, n := range []int{3, 3, 3, 1} {
		require.Len(t, e.Find(0, q).Entries, n)
	}
	require.ErrorIs(t, e.Find(0, q).Err, call.ErrNoMatch)
}
