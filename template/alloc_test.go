package template_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/template"
)

// These tests run alone: allocations of parallel tests would count.

func TestAllocs(t *testing.T) {
	c := compile[Job](t)
	job := &Job{ID: 7, State: "new", Priority: 5, Due: time.Unix(1, 0), Cost: 1.5}
	row := encode(t, c, job)
	conds, err := c.Template(job)
	require.NoError(t, err)
	tmpl := &template.Template{Conds: conds}
	buf := make([]byte, 0, 256)

	for name, c := range map[string]struct {
		most float64
		run  func()
	}{
		"append row": {0, func() { _, _ = c.AppendRow(buf, job) }},
		"decode row": {1, func() { _ = c.DecodeRow(row, job) }}, // the string
		"check row":  {0, func() { _ = row.Check(c.Schema()) }},
		"match":      {0, func() { tmpl.Match(row) }},
	} {
		require.LessOrEqual(t, testing.AllocsPerRun(100, c.run), c.most, name)
	}
}
