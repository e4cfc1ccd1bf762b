package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestProgress_WithoutTerminalIsOneLineATenth(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	p := newProgress(&out, 1000)
	for i := range 1001 {
		p.set(i)
	}
	p.finish()
	require.Equal(t, 10, strings.Count(out.String(), "\n"))
	require.True(t, strings.HasSuffix(out.String(), "results: 1000 of 1000 files\n"))
}
