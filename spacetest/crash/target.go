//go:build linux

package crash

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// target is something that is disturbed, by one disturbance at a time; several targets are disturbed at once. The order of its disturbances, and the times
// between them, follow from the seed.
type target struct {
	name     string
	rng      *rand.Rand
	rest     time.Duration // between two disturbances, at most
	disturbs []disturbance
}

// disturbance is done so often in proportion to the others of its target. When do returns the target is as it was. It returns early when ctx
// ends, and an error only if something is broken.
type disturbance struct {
	weight int
	name   string
	do     func(ctx context.Context, rng *rand.Rand) error
}

// disturb disturbs until ctx ends.
func (t *target) disturb(ctx context.Context, r *Report) error {
	for {
		pause(ctx, upTo(t.rng, t.rest))
		if ctx.Err() != nil {
			return nil
		}
		d := t.pick()
		r.disturbed(t.name + ": " + d.name)
		if err := d.do(ctx, t.rng); err != nil {
			return fmt.Errorf("%s: %s: %w", t.name, d.name, err)
		}
	}
}

func (t *target) pick() disturbance {
	all := 0
	for _, d := range t.disturbs {
		all += d.weight
	}
	n := t.rng.IntN(all)
	for _, d := range t.disturbs {
		if n -= d.weight; n < 0 {
			return d
		}
	}
	panic("crash: a target without disturbances")
}
