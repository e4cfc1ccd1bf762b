package writeback

// lag measures what the log holds beyond what is in the database.
type lag struct {
	position uint64 // of the database
	records  uint64 // brought there by this process
	bytes    int64  // of them, as the log counts, about
}

// messageCost is about what a message takes in the log besides its records.
const messageCost = 110

// commit notes that b is in the database.
func (l *lag) commit(b *batch) {
	l.position = b.to
	l.records += uint64(b.records)
	l.bytes += b.size + int64(b.to-b.from)*messageCost
}

// behind returns about how many records and bytes the log holds beyond the database.
func (l *lag) behind(source Source) (records uint64, bytes int64) {
	sizer, ok := source.(Sizer)
	if !ok {
		return 0, 0
	}
	bytes = sizer.Behind(l.position)
	perRecord := 100.0 // a guess, until some were seen
	if l.records > 0 {
		perRecord = float64(l.bytes) / float64(l.records)
	}
	return uint64(float64(bytes) / perRecord), bytes
}
