package record

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestChanges_MarkCallsThatChangeSeveralEntries(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		call []byte
		want uint64 // changes that are marked
	}{
		"nothing":                  {nil, 0},
		"one entry":                {AppendWrote(AppendPut(nil, 3, 1, 5, nil), 9, 1, 3, 1, nil), 0},
		"written to a waiting one": {AppendTake(AppendNotify(AppendPut(nil, 3, 1, 5, nil), 7, 3), Take, 9, 1, 3, 1), 0},
		"write of two":             {AppendPutLater(AppendPut(nil, 3, 1, 5, nil), 4, 1, 5, 6, nil), 2},
		"two, and one of them":     {AppendRemove(AppendPut(AppendPut(nil, 3, 1, 5, nil), 4, 1, 5, nil), 3, 1, Taken), 3},
		"take and write":           {AppendDone(AppendPut(AppendRemove(nil, 3, 1, Taken), 4, 1, 5, nil), 9, 1, nil), 2},
		"take of two":              {AppendTake(AppendTake(nil, Take, 9, 1, 3, 1), TakeMore, 9, 1, 4, 1), 2},
		"change and take":          {AppendRemove(AppendChange(nil, 3, 1, 5, nil), 4, 1, Cancelled), 2},
		"defer and write":          {AppendPut(AppendDefer(nil, 3, 1, 1, 9), 4, 1, 5, nil), 2},
		"ends of leases":           {AppendRenew(AppendRemove(AppendRemove(nil, 3, 1, Expired), 4, 1, Expired), 5, 1, 6), 0},
		"a write after ends":       {AppendPut(AppendRemove(nil, 3, 1, Expired), 4, 1, 5, nil), 0},
	} {
		var changes Changes
		var r Record
		for rest := c.call; len(rest) > 0; {
			var err error
			rest, err = Next(rest, &r)
			require.NoError(t, err)
			if entry := r.Changed(); entry != 0 {
				changes.Add(entry)
			}
		}
		want := c.call
		if c.want > 0 {
			want = AppendTogether(want[:len(want):len(want)], c.want)
		}
		require.Equal(t, want, changes.Mark(c.call), name)
		require.Zero(t, changes, name)
	}
}
