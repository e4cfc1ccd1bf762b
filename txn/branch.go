package txn

// Branch names one branch of a transaction.
type Branch struct {
	At Address
	Incarnation
}

// Incarnation tells apart the branches of one transaction that a partition has had, one after the other: a message
// about an earlier one, which comes late, is not about the present one.
type Incarnation struct {
	Epoch  uint64 // of the partition, when the branch was made
	Number uint64 // of the branch, in the partition
}

// Addresses returns the addresses of branches.
func Addresses(bs []Branch) []Address {
	at := make([]Address, len(bs))
	for i, b := range bs {
		at[i] = b.At
	}
	return at
}
