//go:build !nolink

package replication

import (
	"time"
	"unsafe"

	"github.com/nats-io/nats-server/v2/server"
)

// What this package uses of the embedded server that the server does not export, here and in direct.go. TestLink fails
// if another version of the server has moved it. A program can be built without it, with the tag nolink: then appends
// are published, and a failed node is replaced in the time that the server takes, several seconds.

//go:linkname lookupRaftNode github.com/nats-io/nats-server/v2/server.(*Server).lookupRaftNode
func lookupRaftNode(s *server.Server, group string) server.RaftNode

//go:linkname serverNameForNode github.com/nats-io/nats-server/v2/server.(*Server).serverNameForNode
func serverNameForNode(s *server.Server, node string) string

//go:linkname nodeNumber github.com/nats-io/nats-server/v2/server.getHash
func nodeNumber(name string) string

//go:linkname lookupStream github.com/nats-io/nats-server/v2/server.(*Account).lookupStream
func lookupStream(a *server.Account, name string) (unsafe.Pointer, error)

//go:linkname streamRaftNode github.com/nats-io/nats-server/v2/server.(*stream).raftNode
func streamRaftNode(stream unsafe.Pointer) server.RaftNode

//go:linkname streamStore github.com/nats-io/nats-server/v2/server.(*stream).Store
func streamStore(stream unsafe.Pointer) server.StreamStore

//go:linkname streamConfigOf github.com/nats-io/nats-server/v2/server.(*stream).config
func streamConfigOf(stream unsafe.Pointer) server.StreamConfig

//go:linkname streamWriteErr github.com/nats-io/nats-server/v2/server.(*stream).getWriteErr
func streamWriteErr(stream unsafe.Pointer) error

//go:linkname resetElect github.com/nats-io/nats-server/v2/server.(*raft).resetElectWithLock
func resetElect(node unsafe.Pointer, after time.Duration)

// linked tells that this program knows groups, and can hasten elections.
const linked = true

// metaGroupName is the name of the group of all nodes.
const metaGroupName = "_meta_"

func metaGroup(s *server.Server) server.RaftNode {
	if s == nil {
		return nil
	}
	return lookupRaftNode(s, metaGroupName)
}

// streamGroup returns the member of a stream's group that runs on this server, or nil.
func streamGroup(s *server.Server, stream string) server.RaftNode {
	m := localStream(s, stream)
	if m == nil {
		return nil
	}
	return streamRaftNode(m)
}

// writeError returns the error with which this server has failed to write a stream, or nil.
func writeError(s *server.Server, stream string) error {
	m := localStream(s, stream)
	if m == nil {
		return nil
	}
	if n := streamRaftNode(m); n != nil && n.GetWriteErr() != nil {
		return n.GetWriteErr()
	}
	return streamWriteErr(m)
}

// localState returns the state of a stream on this server; false if it has none.
func localState(s *server.Server, stream string) (st server.StreamState, ok bool) {
	m := localStream(s, stream)
	if m == nil {
		return st, false
	}
	store := streamStore(m)
	if store == nil {
		return st, false
	}
	store.FastState(&st)
	return st, true
}

// localMetadata returns the metadata of a stream on this server; nil if it has none.
func localMetadata(s *server.Server, stream string) map[string]string {
	m := localStream(s, stream)
	if m == nil {
		return nil
	}
	return streamConfigOf(m).Metadata
}

// localStream returns the stream on this server, or nil.
func localStream(s *server.Server, stream string) unsafe.Pointer {
	if s == nil {
		return nil
	}
	account := s.GlobalAccount()
	if account == nil {
		return nil
	}
	m, err := lookupStream(account, stream)
	if err != nil {
		return nil
	}
	return m
}

// nodeName returns the name of the server whose number in groups is given; "" if it is not known.
func nodeName(s *server.Server, number string) string { return serverNameForNode(s, number) }

// nudge lets the election time-out of a follower end now. To its group that is an ordinary, if early, time-out.
func nudge(n server.RaftNode) {
	if n == nil || n.Leader() {
		return
	}
	// The second word of an interface value is the pointer that it holds.
	resetElect((*[2]unsafe.Pointer)(unsafe.Pointer(&n))[1], time.Millisecond)
}
