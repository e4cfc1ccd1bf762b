package cluster

import (
	"context"
	"crypto/rand"
	"fmt"
)

// FillSpace begins a space that is to be filled from a source before it is served, and returns its incarnation. A space
// of that name is removed first, unless it is filled, which Filling tells. FillSpace returns when the logs of the new
// one exist; or ctx's cause. It returns ErrFewNodes; and ErrExists for a space that is filled, or with something else.
// SpaceFilled has to follow, and OpenSpaces.
func (m *Member) FillSpace(
	ctx context.Context, name, from string, partitions, replicas int,
) (incarnation string, err error) {
	state, _ := m.control.State()
	if have := len(state.Nodes); have < replicas {
		return "", fmt.Errorf("%w: a space of %d replicas needs as many nodes, and there are %d", ErrFewNodes, replicas, have)
	}
	incarnation = rand.Text()
	placed := place(state, name, partitions, replicas)
	if _, err := m.control.Do(ctx, &Command{Fill: &ToFill{Created{name, incarnation, placed}, from}}); err != nil {
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

// SpaceFilled records that a space has all that it is filled with. It returns ErrNoSpace, and ctx's cause.
func (m *Member) SpaceFilled(ctx context.Context, name, incarnation string) error {
	_, err := m.control.Do(ctx, &Command{Filled: &NamedSpace{name, incarnation}})
	return err
}

// OpenSpaces begins the service of spaces that are filled from a source, of all at once. It returns when all living
// nodes know that, and their partitions are served; or ctx's cause. It returns ErrNoSpace unless all are filled.
func (m *Member) OpenSpaces(ctx context.Context, from string, names []string) error {
	state, err := m.control.Do(ctx, &Command{Open: &Source{from, names}})
	for _, name := range names {
		if sp := state.Spaces[name]; err == nil && sp != nil {
			err = m.awaitServed(ctx, name, sp)
		}
	}
	return err
}

// FinishFilling makes the spaces of a source, which are served, like others. It returns ctx's cause.
func (m *Member) FinishFilling(ctx context.Context, from string) error {
	_, err := m.control.Do(ctx, &Command{Finish: &Source{From: from}})
	return err
}

// Stage is how far a space is that is to be filled.
type Stage string

const (
	Absent    Stage = ""          // there is no such space
	Present   Stage = "present"   // there is one, which is not filled from anywhere
	Begun     Stage = "begun"     // it is to be filled anew
	Complete  Stage = "complete"  // it has all, and is served or may be
	Elsewhere Stage = "elsewhere" // it is being filled with something else
)

// Filling returns how far spaces are that are to be filled from a source. It returns the cause of ctx's end.
func (m *Member) Filling(ctx context.Context, from string, names []string) (stages []Stage, err error) {
	state, err := m.Latest(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		stages = append(stages, state.Spaces[name].stage(from))
	}
	return stages, nil
}

func (s *Space) stage(from string) Stage {
	if s != nil && s.Phase == Removing {
		s = s.Next
	}
	switch {
	case s == nil:
		return Absent
	case s.From == "":
		return Present
	case s.From != from:
		return Elsewhere
	case s.Phase == Filled, s.Phase == Existing:
		return Complete
	}
	return Begun
}
