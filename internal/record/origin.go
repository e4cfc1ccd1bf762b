package record

// A space may be made again under the name of an earlier one, whose clients still hold numbers of entries, leases,
// transactions and sessions. None of these may mean something in the new space. So its identities begin at a number
// that grows with time, faster than any space can give identities out.

const (
	originEpoch = 1767225600e9  // 1 January 2026, in nanoseconds since the Unix epoch
	originShift = 8             // an identity for each 256 ns: 3.9 million a second
	maxOrigin   = 1<<52 - 1<<48 // of the 52 bits of an identity; reached in 2060
)

// OriginAt returns the number after which the identities of a space begin that is made when the wall clock shows a time
// in nanoseconds since the Unix epoch. It is 0 for a clock before 2026, which is not set.
func OriginAt(wall int64) uint64 {
	if wall < originEpoch {
		return 0
	}
	return min(uint64(wall-originEpoch)>>originShift, maxOrigin)
}
