package node

import (
	"log/slog"
	"maps"
	"slices"
	"time"
)

// health logs what goes wrong in a cluster, and when it is over: nodes that fall silent, and partitions that no node
// serves. What a failover brings is over before it is logged.
type health struct {
	logger *slog.Logger
	silent map[string]int // how often in a row each node was found silent
	unled  int            // how often in a row partitions were found without a primary

	deaf map[deafness]int // how often in a row a node was found that does not hear another
}

// deafness is that a node does not hear another, which others hear.
type deafness struct{ node, other string }

const (
	lookEvery = time.Second
	patient   = 2 // looks at which a node is silent, or a partition not served, before that is logged
)

// look compares the cluster with what it was when it was looked at last.
func (h *health) look(st *clusterStatus, unheard map[string][]string) {
	silent := map[string]int{}
	for _, m := range st.Nodes {
		if m.Alive {
			continue
		}
		if silent[m.Name] = h.silent[m.Name] + 1; silent[m.Name] == patient {
			h.logger.Warn("a node is silent", "node", m.Name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(h.silent)) {
		if silent[name] == 0 && h.silent[name] >= patient {
			h.logger.Info("a node is heard again", "node", name)
		}
	}
	h.silent = silent

	h.lookAtLinks(unheard)

	all := append([]partitionStatus{st.Control}, st.Partitions...)
	unled := slices.DeleteFunc(all, func(p partitionStatus) bool { return p.Why == "" })
	switch was := h.unled; {
	case len(unled) == 0:
		if h.unled = 0; was >= patient {
			h.logger.Info("all partitions are served again")
		}
	default:
		if h.unled++; h.unled == patient {
			h.logger.Warn("partitions are not served: calls wait", "partitions", len(unled), "of", len(st.Partitions)+1,
				"partition", unled[0].at().String(), "why", unled[0].Why)
		}
	}
}

// lookAtLinks compares which nodes do not hear which others.
func (h *health) lookAtLinks(unheard map[string][]string) {
	deaf := map[deafness]int{}
	for _, node := range slices.Sorted(maps.Keys(unheard)) {
		for _, other := range unheard[node] {
			d := deafness{node, other}
			if deaf[d] = h.deaf[d] + 1; deaf[d] == patient {
				h.logger.Warn("a node does not hear another, which others hear", "node", node, "other", other)
			}
		}
	}
	for d, looks := range h.deaf {
		if deaf[d] == 0 && looks >= patient {
			h.logger.Info("a node hears another again, or that is gone", "node", d.node, "other", d.other)
		}
	}
	h.deaf = deaf
}

// unheard returns the nodes, by node, that it has not heard for a while.
func (h *health) unheard() map[string][]string {
	unheard := map[string][]string{}
	for d, looks := range h.deaf {
		if looks >= patient {
			unheard[d.node] = append(unheard[d.node], d.other)
		}
	}
	for _, others := range unheard {
		slices.Sort(others)
	}
	return unheard
}

// watchHealth looks at the cluster until the node stops.
func (f *fleet) watchHealth() {
	h := health{logger: f.cfg.Logger}
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			h.look(f.status(), f.member.Sight().Unheard())
			unheard := h.unheard()
			f.unheard.Store(&unheard)
		case <-f.admin.Done():
			return
		}
	}
}
