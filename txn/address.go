package txn

import (
	"cmp"
	"strconv"
)

// Address names a partition: its space, and its number in the space, from 0. A transaction begins at an address, and
// has its branches at others.
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

// The upper bits of an identity (of an entry, lease, registration or transaction) are the number of the partition that
// issued it. Identities are therefore unique in their space, and name the partition to ask.
const (
	partitionShift = 52
	// MaxPartitions is the maximum number of partitions in a space.
	MaxPartitions = 1 << (64 - partitionShift)
)

// PartitionOf returns the number of the partition that issued an identity.
func PartitionOf(id uint64) uint16 { return uint16(id >> partitionShift) }

// IDBase returns a number below all identities that a partition issues.
func IDBase(partition uint16) uint64 { return uint64(partition) << partitionShift }
