package main

import (
	"fmt"
	"time"

	"github.com/gospaces/gospaces/space"
)

// patience is a flag value: a duration, or "forever".
type patience time.Duration

func (p *patience) String() string {
	if time.Duration(*p) == space.Forever {
		return "forever"
	}
	return time.Duration(*p).String()
}

// bound sets the wait of a query.
func (p patience) bound(q *space.Query) {
	q.NoWait, q.Wait = p == 0, 0
	if p != patience(space.Forever) {
		q.Wait = time.Duration(p)
	}
}

func (p *patience) Set(text string) error {
	if text == "forever" {
		*p = patience(space.Forever)
		return nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("%q is not a duration, as 500ms, 10s, 1h30m or forever are", text)
	}
	*p = patience(d)
	return nil
}

func (*patience) Type() string { return "duration|forever" }
