package node

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// audited is the state of a replica on this node at a position of its log.
type audited struct {
	Position uint64 `json:"position"`
	Hash     string `json:"hash"` // 16 hexadecimal digits
}

// serveAudit answers with the state of each replica on this node that has no change on its way to the log, by
// partition. Replicas of one partition must have the same hash at the same position. It visits all entries.
func (n *Node) serveAudit(w http.ResponseWriter, _ *http.Request) {
	if !n.up.Load() {
		http.Error(w, "starting or stopping", http.StatusServiceUnavailable)
		return
	}
	all := map[string]audited{}
	for at, s := range n.fleet.all() {
		if hash, position, ok := s.partition.Audit(); ok {
			all[at.String()] = audited{position, fmt.Sprintf("%016x", hash)}
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(all) // the client has gone
}
