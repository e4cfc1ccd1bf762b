package node

import (
	"cmp"
	"encoding/json"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gospaces/gospaces/internal/budget"
	"github.com/gospaces/gospaces/internal/wire"
)

// status is the status of a node, for people and programs.
type status struct {
	Software    string        `json:"software"`
	PID         int           `json:"pid"`
	Uptime      string        `json:"uptime"`
	Durability  string        `json:"durability"`
	RSS         int64         `json:"rss_bytes"` // 0 if unknown
	Heap        uint64        `json:"heap_bytes"`
	CPU         float64       `json:"cpu_seconds"`
	GC          float64       `json:"gc_cpu_fraction"`
	Connections int           `json:"connections"`
	Sessions    int           `json:"sessions"`
	Memory      *memoryStatus `json:"memory,omitempty"` // the budget
	Frames      uint64        `json:"frames"`
	BytesIn     uint64        `json:"bytes_in"`
	BytesOut    uint64        `json:"bytes_out"`
	Spaces      []spaceStatus `json:"spaces"`

	Cluster *clusterStatus `json:"cluster,omitempty"`
}

// memoryStatus is the part about the memory of the process. The memory in use is charged plus beyond.
type memoryStatus struct {
	Limit   int64  `json:"limit_bytes"`
	Used    int64  `json:"used_bytes"`
	Charged int64  `json:"charged_bytes"` // held for clients: entries, waiting calls, answers, frames
	Beyond  int64  `json:"beyond_bytes"`  // indexes, the log, and the program itself, as last measured
	State   string `json:"state"`         // ok, scarce, tight or full
	Refused uint64 `json:"refused"`       // calls and frames since the start of the server
}

func newMemoryStatus(b *budget.Budget) *memoryStatus {
	st := b.Stats()
	if st.Limit == 0 {
		return nil
	}
	m := &memoryStatus{
		Limit: st.Limit, Used: st.Charged + st.Beyond, Charged: st.Charged, Beyond: st.Beyond, State: "ok",
		Refused: st.Refused,
	}
	switch {
	case b.Full():
		m.State = "full"
	case b.Tight():
		m.State = "tight"
	case b.Scarce():
		m.State = "scarce"
	}
	return m
}

// spaceStatus is the part about a space or, if it has several partitions, about each of these; the space then has the
// sums, and no log, snapshot and mirror of its own. A node of a cluster tells of its replicas, and counts for the sums
// only the partitions that it leads.
type spaceStatus struct {
	Name      string `json:"name"`
	Partition int    `json:"partition,omitempty"`
	// in a cluster: primary, follower, or an earlier stage of the replica
	Role          string        `json:"role,omitempty"`
	Terms         uint64        `json:"terms,omitempty"`     // how often the replica has become the primary
	Handovers     uint64        `json:"handovers,omitempty"` // how often it has handed that over
	Entries       entriesStatus `json:"entries"`
	Waiting       int           `json:"waiting"`
	Registrations int           `json:"registrations"`
	Txns          int           `json:"transactions"` // open
	Kinds         int           `json:"kinds"`
	Memory        int64         `json:"memory_bytes"` // charged by the space
	// transactions of other spaces whose entries stay locked until their outcome is known
	Prepared int    `json:"prepared"`
	Error    string `json:"error,omitempty"`    // why calls are refused
	Waits    string `json:"waits,omitempty"`    // what calls wait for
	Throttle string `json:"throttle,omitempty"` // why calls that change the space are refused, or wait
	// refused or delayed for such a reason since the start of the server; waiting calls count at each attempt
	Throttled uint64 `json:"throttled_calls"`
	// how often this replica, a follower, has compared its state with the primary's, and how often it differed
	Audits     uint64          `json:"audits,omitempty"`
	Differed   uint64          `json:"audits_differed,omitempty"`
	Log        *logStatus      `json:"log,omitempty"`
	Snapshot   *snapshotStatus `json:"snapshot,omitempty"`
	Mirror     *mirrorStatus   `json:"mirror,omitempty"`
	MirrorFull *fullStatus     `json:"mirror_full,omitempty"`
	Partitions []spaceStatus   `json:"partitions,omitempty"` // if there are several
}

// entriesStatus counts the entries of a space.
type entriesStatus struct {
	Ready   int `json:"ready"`   // visible to all
	Held    int `json:"held"`    // taken or changed under open transactions
	Delayed int `json:"delayed"` // not visible yet
}

type logStatus struct {
	Incarnation string `json:"incarnation"`
	First       uint64 `json:"first"`
	Last        uint64 `json:"last"`
	Messages    uint64 `json:"messages"`
	Bytes       int64  `json:"bytes"`
	Error       string `json:"error,omitempty"`
}

// Roles of a replica, as its status names them.
const (
	primary  = "primary"
	follower = "follower"
)

// Status returns what gospaces status shows of the node, a JSON object.
func (n *Node) Status() []byte {
	b, err := json.Marshal(n.status())
	if err != nil {
		panic("node: the status cannot be encoded: " + err.Error()) // no field can fail
	}
	return b
}

func (n *Node) status() *status {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	sv := n.server.Stats()
	st := &status{
		Software: wire.Software, PID: os.Getpid(), Uptime: time.Since(n.started).Round(time.Second).String(),
		Durability: n.cfg.Durability,
		RSS:        rss(), Heap: m.HeapAlloc, CPU: cpuSeconds(), GC: m.GCCPUFraction,
		Memory:      newMemoryStatus(n.budget),
		Connections: sv.Connections, Sessions: sv.Sessions, Frames: sv.Frames, BytesIn: sv.BytesIn, BytesOut: sv.BytesOut,
	}
	if n.fleet != nil {
		st.Cluster, st.Spaces = n.fleet.status(), n.fleet.spaces()
		return st
	}
	for _, name := range n.Names() {
		if f := n.spaces.lookup(name); f != nil {
			st.Spaces = append(st.Spaces, f.status(name))
		} else if err := n.spaces.refusal(name); err != nil {
			st.Spaces = append(st.Spaces, spaceStatus{Name: name, Error: err.Error()})
		}
	}
	return st
}

func (f *family) status(name string) spaceStatus {
	if len(f.parts) == 1 {
		return f.parts[0].status()
	}
	return sumStatus(name, f.parts)
}

// sumStatus returns the status of a space of several partitions.
func sumStatus(name string, parts []*hosted) spaceStatus {
	sum := spaceStatus{Name: name}
	for _, s := range parts {
		p := s.status()
		sum.Partitions = append(sum.Partitions, p)
		sum.Error, sum.Throttle = cmp.Or(sum.Error, p.Error), cmp.Or(sum.Throttle, p.Throttle)
		sum.Waits = cmp.Or(sum.Waits, p.Waits)
		sum.Memory += p.Memory
		sum.Throttled += p.Throttled
		sum.Kinds = max(sum.Kinds, p.Kinds)
		if p.Role != "" && p.Role != primary {
			continue // its node counts it
		}
		sum.Entries.Ready += p.Entries.Ready
		sum.Entries.Held += p.Entries.Held
		sum.Entries.Delayed += p.Entries.Delayed
		sum.Waiting += p.Waiting
		sum.Registrations += p.Registrations
		sum.Txns += p.Txns
		sum.Prepared += p.Prepared
	}
	return sum
}

func (s *hosted) status() spaceStatus {
	p := s.partition.Stats()
	st := spaceStatus{
		Name: s.at.String(), Partition: int(s.at.Partition), Waiting: p.Waiting, Registrations: p.Registrations, Txns: p.Txns,
		Kinds:  p.Kinds,
		Memory: p.Memory, Prepared: p.Prepared, Error: text(p.Err), Throttle: text(p.Throttle), Throttled: p.Throttled,
		Audits: p.Audits, Differed: p.Differed,
	}
	st.Entries = entriesStatus{Ready: p.Ready, Held: p.Apart.Held, Delayed: p.Apart.Delayed}
	if s.log != nil {
		l := s.log.Stats()
		st.Log = &logStatus{
			Incarnation: s.log.Incarnation(), First: l.First, Last: l.Last, Messages: l.Messages, Bytes: l.Bytes,
			Error: text(l.Failed),
		}
	}
	if s.snapshots != nil {
		st.Snapshot = s.snapshots.status()
	}
	if m := s.writer(); m != nil {
		st.Mirror = newMirrorStatus(m.Stats())
		st.MirrorFull = s.guard.status()
	}
	if s.standby {
		st.Terms, st.Handovers = s.terms.Load(), s.handed.Load()
		if st.Role = s.partition.Role(); st.Role == follower {
			st.Error, st.Log.Error = "", "" // another node serves it
		} else if st.Role == primary {
			st.Waits = s.waits()
		}
	}
	return st
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// rss returns the resident memory of this process.
func rss() int64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(b))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize())
}

// cpuSeconds returns the processor time used by this process.
func cpuSeconds() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}
