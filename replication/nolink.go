//go:build nonudge

package replication

import "github.com/nats-io/nats-server/v2/server"

// A program that reaches for nothing that the embedded server does not export knows nothing of its groups, does not
// hasten elections, and learns of a write error only by the room on the disk.

func metaGroup(*server.Server) server.RaftNode { return nil }

func streamGroup(*server.Server, string) server.RaftNode { return nil }

func writeError(*server.Server, string) error { return nil }

func nodeName(*server.Server, string) string { return "" }

func nudge(server.RaftNode) {}
