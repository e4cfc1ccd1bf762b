package node

import (
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"time"
)

// startup is the progress of a node in reading its logs, or in finding the other nodes of its cluster. Its methods may
// be called concurrently.
type startup struct {
	logger *slog.Logger

	mu   sync.Mutex
	text string // guarded by mu
}

// report returns the progress, for clients.
func (s *startup) report() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.text == "" {
		return "0 %"
	}
	return s.text
}

func (s *startup) set(text string) {
	s.mu.Lock()
	s.text = text
	s.mu.Unlock()
}

// waits records and logs what a node of a cluster waits for.
func (s *startup) waits(why string) {
	s.set("it " + why)
	s.logger.Info(why)
}

// joins records that a node has found a majority of the others.
func (s *startup) joins() { s.set("it joins its cluster") }

// announce logs what the node serves, and to which clients.
func (n *Node) announce() {
	if n.fleet != nil {
		n.announceMember()
		return
	}
	entries := 0
	var more []any
	if refused := len(n.spaces.refusals()); refused > 0 {
		more = []any{"refused_spaces", refused}
	}
	for _, s := range n.spaces.all() {
		entries += s.partition.Stats().Entries
	}
	n.cfg.Logger.Info("serving", append([]any{
		"address", n.Addr(), "version", n.cfg.Version, "durability", n.cfg.Durability, "data", n.dataFolder(),
		"mirror", n.mirrorName(), "spaces", len(n.spaces.names()), "entries", entries,
		"recovery", time.Since(n.started).Round(time.Millisecond),
	}, more...)...)
	n.warnUnprotected()
}

// announceMember is announce for a node of a cluster.
func (n *Node) announceMember() {
	state, _ := n.fleet.member.State()
	n.cfg.Logger.Info("serving", "address", n.Addr(), "version", n.cfg.Version, "durability", n.cfg.Durability,
		"data", n.dataFolder(), "mirror", n.mirrorName(), "cluster", n.cfg.Cluster.Name, "node", n.cfg.Cluster.Node,
		"nodes", len(state.Nodes), "spaces", len(n.Names()), "start", time.Since(n.started).Round(time.Millisecond))
	n.warnUnprotected()
}

// dataFolder returns the absolute path of the folder with the logs; "" if there is none.
func (n *Node) dataFolder() string {
	if n.cfg.Durability == Memory {
		return ""
	}
	if abs, err := filepath.Abs(n.cfg.Data); err == nil {
		return abs
	}
	return n.cfg.Data
}

func (n *Node) mirrorName() string {
	if n.cfg.Postgres != "" {
		return "postgres"
	}
	return "none"
}

// warnUnprotected logs a warning if clients of other machines can connect.
func (n *Node) warnUnprotected() {
	if a, ok := n.addr.(*net.TCPAddr); ok && !a.IP.IsLoopback() {
		n.cfg.Logger.Warn("nothing protects this address: all who reach it may read, change and remove everything; "+
			"serve on 127.0.0.1, or let a firewall or a tunnel decide who connects", "address", n.Addr())
	}
}

// progress returns a function that records the progress of a space, one of count, of which before are done; it is
// logged about once a second.
func (s *startup) progress(space string, before, count int) func(done, total uint64) {
	next := time.Now().Add(time.Second)
	return func(done, total uint64) {
		if total == 0 {
			return
		}
		percent := done * 100 / total
		s.set(fmt.Sprintf("%d %% (space %q, %d of %d)", (uint64(before)*100+percent)/uint64(count), space, before+1,
			count))
		if now := time.Now(); now.After(next) {
			next = now.Add(time.Second)
			s.logger.Info("reading the state", "space", space, "percent", percent)
		}
	}
}
