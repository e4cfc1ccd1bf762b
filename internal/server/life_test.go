package server

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A session can come into every state, and out of every state but the last.
func TestLife_EndsOnce(t *testing.T) {
	t.Parallel()
	seen := map[lifeState]bool{attached: true}
	for todo := []lifeState{attached}; len(todo) > 0; todo = todo[1:] {
		for _, next := range lifeSuccessors[todo[0]] {
			l := life{state: todo[0]}
			l.becomeLocked(next)
			if !seen[next] {
				seen[next] = true
				todo = append(todo, next)
			}
		}
	}
	require.Len(t, seen, len(lifeNames))
	require.Empty(t, lifeSuccessors[forgotten])
	for state := attached; state <= forgotten; state++ {
		l := life{state: state}
		require.Panics(t, func() { l.becomeLocked(state) }, "%v follows itself", state)
		require.Equal(t, state != detached && state < ended, l.ownedLocked(), "%v", state)
		if l.overLocked() {
			require.NotContains(t, lifeSuccessors[state], attached, "%v goes on", state)
		}
	}
}
