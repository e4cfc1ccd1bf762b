// Package cluster decides which node leads which partition, and keeps what all nodes agree on.
//
// Every node sends a heartbeat ten times a second (Beat), in which it lists the partitions that it serves. What a node
// has heard of the others is its Sight. From that its Keeper tells, for each replica on this node, whether it is time
// to claim the partition: a partition that no node serves for a while goes to the best placed living replica. The
// Keeper only proposes. The claim in the partition's log decides (package replication), and a wrong guess costs no more
// than a change of primaries.
//
// The spaces, their partitions, and the nodes on which these are placed are the State of the control partition
// (Control), whose log all nodes follow. Its primary is the controller: it carries out what the State asks for.
package cluster

import "time"

// Timing is the times by which nodes judge each other. All are proportional to the first, so that one factor adapts
// them to a slower network.
//
// What is safe does not depend on them, but for one rule: a primary answers reads for Lease after it sent what the log
// acknowledged, and a candidate waits for Wait after what it applied last. Lease must be the shorter one.
type Timing struct {
	Beat    time.Duration // between heartbeats
	Suspect time.Duration // silence after which a node, or the primary of a partition, is taken for dead
	Lease   time.Duration // for which a primary may answer reads without asking the log
	Wait    time.Duration // of a candidate, after the last message that it has applied
	Stagger time.Duration // between the attempts of candidates
	Vote    time.Duration // least time left to a vote under way; at most twice that is left
	Move    time.Duration // how long a primary does not lead its log before it asks for that
	Settle  time.Duration // how long a node that is to lead a partition has to be able to, before it does
}

// Timings returns the times for a patience: 1 suits nodes in one place, and a network across continents needs about 5.
func Timings(patience float64) Timing {
	of := func(ms float64) time.Duration { return time.Duration(ms * patience * float64(time.Millisecond)) }
	return Timing{
		Beat: of(100), Suspect: of(400), Lease: of(150), Wait: of(250), Stagger: of(1500), Vote: of(400), Move: of(3000),
		Settle: of(10000),
	}
}
