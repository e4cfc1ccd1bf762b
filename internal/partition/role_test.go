package partition

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRole_SuccessorsAreThoseOfTheTable(t *testing.T) {
	t.Parallel()
	refused := errors.New("refused")
	for from, want := range map[role]string{
		starting:   "yes yes no  no  yes no  no  yes",
		recovering: "yes no  yes yes no  no  no  yes",
		follower:   "yes no  no  yes no  no  no  yes",
		candidate:  "yes yes yes no  yes no  yes yes",
		primary:    "yes no  no  no  no  yes no  yes",
		resigning:  "yes no  yes no  no  no  no  yes",
		readOnly:   "yes no  no  no  no  no  no  yes",
	} {
		for to := starting; to <= closed; to++ {
			p := &Partition{role: from, turned: make(chan struct{}), ctx: t.Context()}
			if want[4*to] == 'n' {
				require.Panics(t, func() { p.become(to, refused) }, "%v, %v", from, to)
				require.Equal(t, from, p.role)
				continue
			}
			require.True(t, p.become(to, refused))
			require.Equal(t, to, p.now(), "%v, %v", from, to)
			require.Equal(t, refused, p.err)
		}
	}
}

func TestRole_ClosedIsForGood(t *testing.T) {
	t.Parallel()
	ended := errors.New("ended")
	p := &Partition{role: closed, err: ended}
	for to := starting; to <= closed; to++ {
		require.False(t, p.become(to, nil))
		require.Equal(t, closed, p.role)
		require.Equal(t, ended, p.err)
	}
}
