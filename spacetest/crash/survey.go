//go:build linux

package crash

import (
	"context"
	"fmt"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/spacetest/history"
	"github.com/gospaces/gospaces/spacetest/random"
)

// survey is the content of the spaces at rest.
type survey struct {
	rows   [len(spaceNames)]map[string][]row // by kind
	print  []string                          // every entry, with its identity, version and attempts
	items  []history.Item                    // the oldest of a key first
	jobs   []int                             // waiting jobs
	dones  []int
	counts [len(spaceNames)]map[string]int
}

// takeSurvey reads the whole content of the spaces, at rest.
func takeSurvey(ctx context.Context, cl *client.Client) (*survey, error) {
	s, err := readSpaces(ctx, cl)
	if err != nil {
		return nil, err
	}
	return s, s.order(ctx, cl)
}

// readSpaces returns a survey without the items by key.
func readSpaces(ctx context.Context, cl *client.Client) (*survey, error) {
	s := &survey{}
	for i, name := range spaceNames {
		sp := cl.SpaceNamed(name)
		s.rows[i], s.counts[i] = map[string][]row{}, map[string]int{}
		q, err := space.Match(ctx, sp, nil)
		if err != nil {
			return nil, err
		}
		for e, err := range sp.Contents(ctx, q) {
			if err != nil {
				return nil, fmt.Errorf("read space %s: %w", name, err)
			}
			if err := s.add(i, e); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

func (s *survey) add(i int, e space.Entry) error {
	var text string
	switch e.Kind() {
	case "item":
		v, err := space.Decode[random.Item](e)
		if err != nil {
			return err
		}
		text = fmt.Sprint(v)
	case "job":
		v, err := space.Decode[job](e)
		if err != nil {
			return err
		}
		text = fmt.Sprint(v)
		s.jobs = append(s.jobs, v.N)
	case "done":
		v, err := space.Decode[done](e)
		if err != nil {
			return err
		}
		text = fmt.Sprint(v)
		s.dones = append(s.dones, v.N)
	default:
		return fmt.Errorf("space %s holds an entry of kind %s: %v", spaceNames[i], e.Kind(), e.Fields())
	}
	s.rows[i][e.Kind()] = append(s.rows[i][e.Kind()], row{uint64(e.ID), text})
	s.counts[i][e.Kind()]++
	s.print = append(s.print,
		fmt.Sprintf("%s %s %d version %d attempts %d %s", spaceNames[i], e.Kind(), e.ID, e.Version, e.Attempts, text))
	return nil
}

// order reads the items again, key by key: a read returns the oldest first.
func (s *survey) order(ctx context.Context, cl *client.Client) error {
	for key := 1; key <= lanes*keysPerLane; key++ {
		i := spaceOf(key)
		found, err := space.ReadAll(ctx, cl.SpaceNamed(spaceNames[i]), random.Item{Key: key}, 1_000_000, space.NoWait())
		if err != nil && !isNone(err) {
			return err
		}
		for _, v := range found {
			s.items = append(s.items, v.Plain())
		}
	}
	if n := s.counts[0]["item"] + s.counts[1]["item"]; n != len(s.items) {
		return fmt.Errorf("%d items are listed, and %d found by their keys", n, len(s.items))
	}
	return nil
}
