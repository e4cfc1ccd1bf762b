package main

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A browser, or a health check, is told in one line what it has met.
func TestServe_AnswersHTTPInOneLine(t *testing.T) {
	t.Parallel()
	s := memory(t)
	for _, body := range []string{"", strings.Repeat("x", 40_000)} {
		r, err := http.Post("http://"+s.addr+"/any", "text/plain", strings.NewReader(body))
		require.NoError(t, err)
		text, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		require.NoError(t, r.Body.Close())
		require.Equal(t, http.StatusBadRequest, r.StatusCode)
		require.Equal(t, "this is a gospaces server, which does not speak HTTP: try `gospaces status --addr "+s.addr+"`\n",
			string(text))
	}
	s.must(t, "count")
}
