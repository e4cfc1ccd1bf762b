package main

import (
	"context"
	"reflect"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/template"
)

type crowdJob struct{ N int }

// endlessCount is the costliest query that a server accepts: each entry is compared with 16,384 conditions and
// operands.
func endlessCount(schema *template.Schema) space.Query {
	const templates, operands = 1024, 15
	var q space.Query
	for i := range templates {
		in := template.Cond{Field: 0, Op: template.In}
		for j := range operands {
			in.Values = append(in.Values, template.AppendInt(nil, -int64(i*operands+j)-1))
		}
		q.Templates = append(q.Templates,
			&template.Template{Kind: schema.Kind, Fields: schema.Fields, Conds: []template.Cond{in}})
	}
	return q
}

// Counts that take minutes hold up neither other calls nor the end of the server.
func TestServe_CountsWithoutEndHoldNothingUp(t *testing.T) {
	t.Parallel()
	s := serveProcess(t, "--data", t.TempDir(), "--flush-timeout", "5s")
	c, err := client.Dial(t.Context(), s.addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	for range 5 {
		_, err := space.WriteAll(t.Context(), c, make([]crowdJob, 4000))
		require.NoError(t, err)
	}
	codec, err := c.Codecs().For(t.Context(), c, reflect.TypeFor[crowdJob]())
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	const counts = 64
	ended := make(chan error, counts)
	for range counts {
		go func() {
			_, err := c.Count(ctx, endlessCount(codec.Schema()))
			ended <- err
		}()
	}
	for range 3 {
		require.Contains(t, s.must(t, "status"), `"`)
		require.NotEmpty(t, s.must(t, "write", "other", `{"id": 1}`))
	}
	select {
	case err := <-ended:
		require.NoError(t, err, "a count ended by itself")
		t.Fatal("the counts are not long enough to show anything")
	default:
	}

	require.NoError(t, s.cmd.Process.Signal(syscall.SIGTERM))
	exited := make(chan error, 1)
	go func() { exited <- s.cmd.Wait() }()
	select {
	case err := <-exited:
		require.NoError(t, err, s.stderr.String())
	case <-time.After(time.Minute): // of the 5 s that it was given
		t.Fatal("the server does not end")
	}
	cancel()
	for range counts {
		require.Error(t, <-ended)
	}
}
