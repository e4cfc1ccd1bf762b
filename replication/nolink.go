//go:build nolink

package replication

import (
	"errors"

	"github.com/nats-io/nats-server/v2/server"
)

// A program that uses nothing but what the embedded server exports knows nothing of its groups, does not hasten
// elections, notices a write error only by the room on the disk, and publishes its appends.

const linked = false

func metaGroup(*server.Server) server.RaftNode { return nil }

func streamGroup(*server.Server, string) server.RaftNode { return nil }

func writeError(*server.Server, string) error { return nil }

func localState(s *server.Server, stream string) (st server.StreamState, ok bool) {
	d := localDetail(s, stream)
	return d.State, d.Name != ""
}

func localMetadata(s *server.Server, stream string) map[string]string {
	if d := localDetail(s, stream); d.Config != nil {
		return d.Config.Metadata
	}
	return nil
}

// localDetail returns what the server tells of a stream that it has; the zero value if it has none.
func localDetail(s *server.Server, stream string) server.StreamDetail {
	if s == nil {
		return server.StreamDetail{}
	}
	all, err := s.Jsz(&server.JSzOptions{Account: server.DEFAULT_GLOBAL_ACCOUNT, Streams: true, Config: true})
	if err != nil {
		return server.StreamDetail{}
	}
	for _, account := range all.AccountDetails {
		for _, d := range account.Streams {
			if d.Name == stream {
				return d
			}
		}
	}
	return server.StreamDetail{}
}

func nodeNumber(string) string { return "" }

func nodeName(*server.Server, string) string { return "" }

func nudge(server.RaftNode) {}

// direct stores nothing: all messages are published.
type direct struct{}

func newDirect(*server.Server, logID) (d direct) { return d }

func (*direct) store([]byte, uint64) (bool, error) { return false, errors.ErrUnsupported }
