package impl

import (
	"time"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/space"
)

// Holder returns what an engine says now of a holder of an entry in the space with that name.
func Holder(h *call.Holding, name string) *space.Holder {
	if h == nil {
		return nil
	}
	now := time.Now()
	held := &space.Holder{Txn: h.Txn, Client: h.Holder}
	if held.Txn.Space == "" {
		held.Txn.Space = name
	}
	if h.For >= 0 {
		held.Since = now.Add(-time.Duration(h.For))
	}
	if h.Left != call.Forever {
		held.Until = now.Add(time.Duration(h.Left))
	}
	return held
}

// Death returns what an engine knows of a death.
func Death(d *call.Death) *space.Death {
	if d == nil {
		return nil
	}
	return &space.Death{Holder: d.Holder, At: time.Unix(0, d.At).UTC()}
}
