package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/template"
)

func TestRegistrations_AreListedAndDropped(t *testing.T) {
	t.Parallel()
	s := memory(t)
	s.must(t, "write", "job", `{"id": 1}`)
	listening, err := client.Dial(t.Context(), s.addr)
	require.NoError(t, err)
	defer listening.Close()
	gone, err := client.Dial(t.Context(), s.addr)
	require.NoError(t, err)
	q := space.Query{Templates: []*template.Template{{Kind: "job"}}}
	reg, err := listening.Notify(t.Context(), q, 0, space.Forever)
	require.NoError(t, err)
	for range 3 {
		_, err := gone.Notify(t.Context(), q, space.EventTypes(space.Taken), time.Hour)
		require.NoError(t, err)
	}
	require.NoError(t, gone.Close())

	unattended := func() (n int) {
		d := json.NewDecoder(strings.NewReader(s.must(t, "registrations", "list")))
		for d.More() {
			var l listedRegistration
			require.NoError(t, d.Decode(&l))
			require.Equal(t, []string{"job"}, l.Kinds)
			if !l.Attended {
				require.Equal(t, []string{"taken"}, l.On)
				n++
			}
		}
		return n
	}
	require.Eventually(t, func() bool { return unattended() == 3 }, time.Minute, time.Millisecond)
	require.Equal(t, "{\"dropped\":3}\n", s.must(t, "registrations", "drop", "--unattended"))
	require.Zero(t, unattended())

	r := s.do(t, "registrations", "drop", "1")
	require.Equal(t, exitError, r.code, "that is an entry")
	require.Contains(t, r.err, "there is no registration 1")
	require.Equal(t, exitUsage, s.do(t, "registrations", "drop").code)
	require.Equal(t, exitUsage, s.do(t, "registrations", "drop", "x").code)
	require.Equal(t, "{\"dropped\":1}\n", s.must(t, "registrations", "drop", fmt.Sprint(reg.Lease().ID())))
	_, err = reg.Next(t.Context())
	require.ErrorIs(t, err, space.ErrLeaseEnded)
}
