//go:build nonudge

package replication

import "github.com/nats-io/nats-server/v2/server"

// A program that reaches for nothing that the embedded server does not export knows nothing of its groups, and does not
// hasten elections.

func metaGroup(*server.Server) server.RaftNode { return nil }

func streamGroup(*server.Server, string) server.RaftNode { return nil }

func nodeName(*server.Server, string) string { return "" }

func nudge(server.RaftNode) {}
