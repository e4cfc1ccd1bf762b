package node

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// collector turns the status of a node into metrics, at each request.
type collector struct{ node *Node }

var _ prometheus.Collector = collector{}

// metric is a number of a node, or of several things that labels tell apart.
type metric struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

func newMetric(kind prometheus.ValueType, name, help string, labels ...string) metric {
	return metric{prometheus.NewDesc("gospaces_"+name, help, labels, nil), kind}
}

func gauge(name, help string, labels ...string) metric {
	return newMetric(prometheus.GaugeValue, name, help, labels...)
}

func counter(name, help string, labels ...string) metric {
	return newMetric(prometheus.CounterValue, name, help, labels...)
}

// The metrics of a node, and those of its replicas. A server that is alone has one replica of each space.
var (
	info        = gauge("info", "Always 1; the labels tell what runs.", "version", "durability", "cluster", "node")
	isReady     = gauge("ready", "1 if the node serves what it should.")
	connections = gauge("connections", "Open connections of clients.")
	sessions    = gauge("sessions", "Clients that are connected, or may come back.")
	frames      = counter("frames_received_total", "Messages received from clients.")
	bytesIn     = counter("bytes_received_total", "Bytes received from clients.")
	bytesOut    = counter("bytes_sent_total", "Bytes sent to clients.")
	memoryLimit = gauge("memory_limit_bytes", "Memory that the process may use (--max-memory).")
	memoryUsed  = gauge("memory_used_bytes", "Memory in use: held for clients, or measured beyond that.", "part")
	refused     = counter("memory_refused_total", "Calls and messages refused because memory was scarce.")
	spaceError  = gauge("space_refused", "1 for a space that is not served; the status says why.", "space")

	serves = gauge("partition_serving", "1 if this node serves the partition.", "space", "partition")
	audits = counter("audits_total", "How often this node has compared its replica's state with that of the primary.",
		"space", "partition")
	differed = counter("audits_differed_total", "How often these states differed. The replica was made anew.",
		"space", "partition")
	terms = counter("partition_terms_total", "How often this node has become the primary of the partition.", "space",
		"partition")
	handovers = counter("partition_handovers_total", "How often this node has handed the partition over to another.",
		"space", "partition")
	oldest = gauge("oldest_entry_seconds",
		"Age of the oldest entry that may be taken, to about a second; since the start of the node at most.",
		"space", "partition", "kind")
	entries      = gauge("entries", "Entries, by what may be done with them.", "space", "partition", "state")
	waiting      = gauge("waiting_calls", "Calls that wait for an entry.", "space", "partition")
	listening    = gauge("registrations", "Registrations for events.", "space", "partition")
	transactions = gauge("transactions", "Open transactions.", "space", "partition")
	prepared     = gauge("prepared_branches",
		"Parts of transactions over several partitions whose outcome is not known here.",
		"space", "partition")
	kinds     = gauge("kinds", "Kinds of entries.", "space", "partition")
	memory    = gauge("partition_memory_bytes", "Memory charged for the partition.", "space", "partition")
	throttled = counter("throttled_calls_total", "Calls that were refused or waited because the log had no room.",
		"space", "partition")
	logLast  = gauge("log_position", "Position of the last message of the log.", "space", "partition")
	logBytes = gauge("log_bytes", "Bytes in the files of the log.", "space", "partition")
	snapshot = gauge("snapshot_position", "Position of the newest snapshot on this node.", "space", "partition")

	mirrorUp      = gauge("mirror_connected", "1 if the last request to the database succeeded.", "space", "partition")
	mirrorLag     = gauge("mirror_lag_seconds", "Age of the oldest change that the database lacks.", "space", "partition")
	mirrorRecords = gauge("mirror_lag_records", "Changes that the database lacks, about.", "space", "partition")
	mirrorRows    = counter("mirror_rows_written_total", "Rows added to tables.", "space", "partition")
	mirrorRefused = counter("mirror_rows_refused_total", "Rows that the database refused.", "space", "partition")
	mirrorFailed  = counter("mirror_failures_total", "Requests to the database that failed.", "space", "partition")

	alive = gauge("node_alive", "1 if this node hears the heartbeats of the other.", "peer")
	leads = gauge("node_leads", "Partitions that a node serves.", "peer")
	epoch = gauge("partition_epoch", "Epoch in which the partition is served; 0: no node serves it.",
		"space", "partition", "primary")
	lag = gauge("follower_lag_messages", "Messages of the log that a follower has not applied.",
		"space", "partition", "follower")
)

// Describe implements prometheus.Collector. It describes nothing: the metrics depend on the node.
func (collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	n := c.node
	clusterName, name := "", ""
	if n.cfg.Cluster != nil {
		clusterName, name = n.cfg.Cluster.Name, n.cfg.Cluster.Node
	}
	to := sink(ch)
	to.put(info, 1, n.cfg.Version, n.cfg.Durability, clusterName, name)
	to.put(isReady, truth(n.ready() == nil))
	if !n.up.Load() {
		return
	}
	st := n.status()
	to.put(connections, st.Connections)
	to.put(sessions, st.Sessions)
	to.put(frames, st.Frames)
	to.put(bytesIn, st.BytesIn)
	to.put(bytesOut, st.BytesOut)
	if m := st.Memory; m != nil {
		to.put(memoryLimit, m.Limit)
		to.put(memoryUsed, m.Charged, "charged")
		to.put(memoryUsed, m.Beyond, "beyond")
		to.put(refused, m.Refused)
	}
	for i := range st.Spaces {
		s := &st.Spaces[i]
		to.put(spaceError, truth(s.Error != "" && s.Log == nil && len(s.Partitions) == 0), s.Name)
		if len(s.Partitions) == 0 {
			to.putSpace(s, s.Name, strconv.Itoa(s.Partition))
		}
		for i := range s.Partitions {
			to.putSpace(&s.Partitions[i], s.Name, strconv.Itoa(s.Partitions[i].Partition))
		}
	}
	for _, s := range n.replicas() {
		if s.standby && s.partition.Err() != nil {
			continue // another node tells
		}
		for kind, age := range s.oldest() {
			to.put(oldest, age, s.at.Space, strconv.Itoa(int(s.at.Partition)), kind)
		}
	}
	if st.Cluster != nil {
		to.putCluster(st.Cluster)
	}
}

// sink receives metrics.
type sink chan<- prometheus.Metric

// put sends a metric with a value.
func (to sink) put(m metric, value any, labels ...string) {
	to <- prometheus.MustNewConstMetric(m.desc, m.kind, number(value), labels...)
}

// number returns a number of a status as the value of a metric.
func number(value any) float64 {
	switch v := value.(type) {
	case int:
		return float64(v)
	case int64:
		return float64(v)
	case uint64:
		return float64(v)
	case float64:
		return v
	}
	panic("node: a metric is no number")
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

// putSpace sends the metrics of a replica.
func (to sink) putSpace(s *spaceStatus, space, partition string) {
	to.put(serves, truth(s.Error == "" && s.Role != follower), space, partition)
	if s.Role != "" {
		to.put(terms, s.Terms, space, partition)
		to.put(handovers, s.Handovers, space, partition)
		to.put(audits, s.Audits, space, partition)
		to.put(differed, s.Differed, space, partition)
	}
	to.put(entries, s.Entries.Ready, space, partition, "ready")
	to.put(entries, s.Entries.Held, space, partition, "held")
	to.put(entries, s.Entries.Delayed, space, partition, "delayed")
	to.put(waiting, s.Waiting, space, partition)
	to.put(listening, s.Registrations, space, partition)
	to.put(transactions, s.Txns, space, partition)
	to.put(prepared, s.Prepared, space, partition)
	to.put(kinds, s.Kinds, space, partition)
	to.put(memory, s.Memory, space, partition)
	to.put(throttled, s.Throttled, space, partition)
	if l := s.Log; l != nil {
		to.put(logLast, l.Last, space, partition)
		to.put(logBytes, l.Bytes, space, partition)
	}
	if sn := s.Snapshot; sn != nil {
		to.put(snapshot, sn.Position, space, partition)
	}
	if m := s.Mirror; m != nil {
		to.put(mirrorUp, truth(m.Connected), space, partition)
		to.put(mirrorLag, m.LagSeconds, space, partition)
		to.put(mirrorRecords, m.LagRecords, space, partition)
		to.put(mirrorRows, m.Rows, space, partition)
		to.put(mirrorRefused, m.Refused, space, partition)
		to.put(mirrorFailed, m.Failures, space, partition)
	}
}

// putCluster sends the metrics of a cluster, as this node sees it.
func (to sink) putCluster(st *clusterStatus) {
	for _, m := range st.Nodes {
		to.put(alive, truth(m.Alive), m.Name)
		to.put(leads, m.Leads, m.Name)
	}
	for _, p := range st.Partitions {
		partition := strconv.Itoa(p.Partition)
		to.put(epoch, p.Epoch, p.Space, partition, p.Primary)
		for _, r := range p.Replicas {
			if r.Node != p.Primary {
				to.put(lag, r.Lag, p.Space, partition, r.Node)
			}
		}
	}
}
