package record

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestJoin_MarksCallsThatChangeSeveralEntries(t *testing.T) {
	t.Parallel()
	before := AppendPut(AppendPut(nil, 1, 1, 5, nil), 2, 1, 5, nil) // of other calls
	for name, c := range map[string]struct {
		call []byte
		want uint64 // records that are marked
	}{
		"nothing":                  {nil, 0},
		"one entry":                {AppendWrote(AppendPut(nil, 3, 1, 5, nil), 9, 1, 3, 1, nil), 0},
		"written to a waiting one": {AppendTake(AppendNotify(AppendPut(nil, 3, 1, 5, nil), 7, 3), Take, 9, 1, 3, 1), 0},
		"write of two":             {AppendPutLater(AppendPut(nil, 3, 1, 5, nil), 4, 1, 5, 6, nil), 2},
		"take and write":           {AppendDone(AppendPut(AppendRemove(nil, 3, 1, Taken), 4, 1, 5, nil), 9, 1, nil), 3},
		"take of two":              {AppendTake(AppendTake(nil, Take, 9, 1, 3, 1), TakeMore, 9, 1, 4, 1), 2},
		"change and take":          {AppendRemove(AppendChange(nil, 3, 1, 5, nil), 4, 1, Cancelled), 2},
		"ends of leases":           {AppendRenew(AppendRemove(AppendRemove(nil, 3, 1, Expired), 4, 1, Expired), 5, 1, 6), 0},
		"a write after ends":       {AppendPut(AppendRemove(nil, 3, 1, Expired), 4, 1, 5, nil), 0},
	} {
		msg := append(append([]byte(nil), before...), c.call...)
		want := msg
		if c.want > 0 {
			want = AppendTogether(msg[:len(msg):len(msg)], c.want)
		}
		require.Equal(t, want, Join(msg, len(before)), name)
	}
}
