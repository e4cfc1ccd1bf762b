package cluster

import (
	"context"
	"crypto/rand"
	"fmt"
)

// FillSpace begins a space that is to be filled before it is served, with a backup for example, and returns its
// incarnation. A space of that name is removed first. FillSpace returns when the logs of the new one exist; or ctx's
// cause. It returns ErrFewNodes. OpenSpace has to follow; DropSpace ends it otherwise.
func (m *Member) FillSpace(ctx context.Context, name string, partitions, replicas int) (incarnation string, err error) {
	state, _ := m.control.State()
	if have := len(state.Nodes); have < replicas {
		return "", fmt.Errorf("%w: a space of %d replicas needs as many nodes, and there are %d", ErrFewNodes, replicas, have)
	}
	incarnation = rand.Text()
	placed := place(state, name, partitions, replicas)
	if _, err := m.control.Do(ctx, &Command{Fill: &Created{name, incarnation, placed}}); err != nil {
		return "", err
	}
	for {
		state, changed := m.control.State()
		sp := state.Spaces[name]
		switch {
		case sp != nil && sp.Incarnation == incarnation && sp.Phase == Filling:
			return incarnation, nil
		case sp == nil || sp.Incarnation != incarnation && (sp.Next == nil || sp.Next.Incarnation != incarnation):
			return "", fmt.Errorf("%w: %q was dropped meanwhile", ErrNoSpace, name)
		}
		if err := awaitChange(ctx, changed); err != nil {
			return "", err
		}
	}
}

// OpenSpace begins the service of a space that was filled. It returns when all living nodes know it, and its partitions
// are served; or ctx's cause. It returns ErrNoSpace.
func (m *Member) OpenSpace(ctx context.Context, name, incarnation string) error {
	state, err := m.control.Do(ctx, &Command{Filled: &NamedSpace{name, incarnation}})
	if err != nil {
		return err
	}
	sp := state.Spaces[name]
	if sp == nil || sp.Incarnation != incarnation {
		return fmt.Errorf("%w: %q was dropped meanwhile", ErrNoSpace, name)
	}
	return m.awaitServed(ctx, name, sp)
}
