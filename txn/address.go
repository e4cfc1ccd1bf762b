package txn

import (
	"cmp"
	"strconv"
)

// Address names a partition: the space, and the partition's number in it, from 0. It is where a transaction has begun,
// and where it has a branch.
type Address struct {
	Space     string
	Partition uint16
}

// String returns the space and, unless it is 0, the number after a "#".
func (a Address) String() string {
	if a.Partition == 0 {
		return a.Space
	}
	return a.Space + "#" + strconv.Itoa(int(a.Partition))
}

// Compare orders addresses by space and partition.
func (a Address) Compare(o Address) int {
	return cmp.Or(cmp.Compare(a.Space, o.Space), cmp.Compare(a.Partition, o.Partition))
}

// Identities of entries, leases, registrations and transactions are unique in their space, since their upper bits are
// the number of the partition that gave them out: so each finds its partition by itself.
const (
	partitionShift = 52
	// MaxPartitions is how many partitions a space has at most.
	MaxPartitions = 1 << (64 - partitionShift)
)

// PartitionOf returns the number of the partition that gave out an identity.
func PartitionOf(id uint64) uint16 { return uint16(id >> partitionShift) }

// IDBase returns the number below all identities that a partition gives out.
func IDBase(partition uint16) uint64 { return uint64(partition) << partitionShift }
