//go:build nonudge

package replication

import "github.com/nats-io/nats-server/v2/server"

// A program that reaches for nothing that the embedded server does not export knows nothing of its groups, does not
// hasten elections, and learns of a write error only by the room on the disk.

func metaGroup(*server.Server) server.RaftNode { return nil }

func streamGroup(*server.Server, string) server.RaftNode { return nil }

func writeError(*server.Server, string) error { return nil }

func localState(s *server.Server, stream string) (st server.StreamState, ok bool) {
	all, err := s.Jsz(&server.JSzOptions{Account: server.DEFAULT_GLOBAL_ACCOUNT, Streams: true})
	if err != nil {
		return st, false
	}
	for _, account := range all.AccountDetails {
		for _, detail := range account.Streams {
			if detail.Name == stream {
				return detail.State, true
			}
		}
	}
	return st, false
}

func nodeName(*server.Server, string) string { return "" }

func nudge(server.RaftNode) {}
