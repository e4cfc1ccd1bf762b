//go:build linux

package crash

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// target is a part of the system that is disturbed, by one disturbance at a time; several targets are disturbed at
// once. The seed determines the order of its disturbances, and the pauses between them.
type target struct {
	name     string
	rng      *rand.Rand
	rest     time.Duration // maximum pause between two disturbances
	disturbs []disturbance
}

// disturbance is one way to disturb a target; its share is relative to the target's others. When do returns, the target
// is as before. It returns early when ctx ends, and an error only if something is broken.
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
