package spacetest

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
)

// RunLoaded runs the cases about what survives when a space is lost, and loaded from the database that mirrors it: that
// is what its Restarter's Restart does. They are those of RunRestart about entries and kinds; what else a space knows,
// versions, attempts and registrations, is in no table.
func RunLoaded(t *testing.T, open func(tb testing.TB) Restarter) {
	kept := []string{
		"an empty space is empty again", "entries are there again, in their order and with all fields",
		"what was taken or cancelled stays gone",
		"kinds keep their schemas", "leases keep their expiry", "renewals and cancels hold", "identities are not used again",
		"who has taken and done more has ended, and what it took is there, in its old place",
		"what was aborted or rolled back stays undone",
	}
	ran := 0
	run := func(c struct {
		name string
		run  func(k *kit)
	},
	) {
		ran++
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := open(t)
			c.run(&kit{T: t, ctx: t.Context(), sp: r.Space(), restart: r.Restart, crashes: true})
		})
	}
	for _, c := range slices.Concat(restartCases(), restartTxnCases()) {
		if slices.Contains(kept, c.name) {
			run(c)
		}
	}
	require.Equal(t, len(kept), ran, "a case has another name now")
	for _, c := range loadedCases() {
		run(c)
	}
}

func loadedCases() cases {
	return cases{
		{"an entry that was written with a delay comes when it is due", loadedDelay},
		{"no call changes an entry by a version from before", loadedVersion},
		{"an entry that was changed is what it was in the end", loadedChange},
		{"waiting calls and registrations find what is written afterwards", loadedWaits},
	}
}

func loadedDelay(k *kit) {
	began := time.Now()
	const delay = 5 * short
	write(k, e3)
	write(k, e1, space.Delay(delay))
	later := write(k, e2, space.Delay(long))
	k.restart()
	require.Equal(k, e3, take(k, simple{}))
	require.Equal(k, e1, startFind(k, verbs[0], simple{}).result(k))
	require.GreaterOrEqual(k, time.Since(began), delay)
	k.ok(later.Cancel(k.ctx))
	require.Equal(k, []simple{e1}, drain(k, simple{}))
}

func loadedVersion(k *kit) {
	l := write(k, e1)
	before := k.stored(l.ID()).Version
	replace(k, l.ID(), before, e2)
	k.restart()
	for v := range before + 2 {
		_, err := space.Replace(k.ctx, k.sp, l.ID(), v+1, e3)
		k.fails(space.ErrVersionConflict, err)
	}
	now := k.stored(l.ID()).Version
	require.Equal(k, now+1, replace(k, l.ID(), now, e3))
	require.Equal(k, []simple{e3}, drain(k, simple{}))
}

func loadedChange(k *kit) {
	ls := writeAll(k, e1, e2, e3)
	for _, l := range ls[:2] {
		replace(k, l.ID(), 1, simple{"changed", int(l.ID())})
	}
	k.restart()
	want := []simple{{"changed", int(ls[0].ID())}, {"changed", int(ls[1].ID())}, e3}
	require.Equal(k, want, readUpTo(k, 10, simple{}), "in their old places")
	k.restart()
	require.Equal(k, want, drain(k, simple{}))
}

func loadedWaits(k *kit) {
	write(k, e2)
	k.restart()
	reader := startFind(k, verbs[0], simple{Name: e1.Name})
	write(k, e1)
	require.Equal(k, e1, reader.result(k))
	require.ElementsMatch(k, []simple{e1, e2}, drain(k, simple{}))
}
