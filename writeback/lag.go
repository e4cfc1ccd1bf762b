package writeback

// lag measures how far the database is behind the log.
type lag struct {
	position uint64 // of the database
	records  uint64 // number written by this process
	bytes    int64  // their approximate size in the log
}

// messageCost is the approximate size of a message in the log besides its records.
const messageCost = 110

// commit records that b is in the database.
func (l *lag) commit(b *batch) {
	l.position = b.to
	l.records += uint64(b.records)
	l.bytes += b.size + int64(b.to-b.from)*messageCost
}

// behind returns the approximate records and bytes in the log that are not in the database.
func (l *lag) behind(source Source) (records uint64, bytes int64) {
	sizer, ok := source.(Sizer)
	if !ok {
		return 0, 0
	}
	bytes = sizer.Behind(l.position)
	perRecord := 100.0 // an estimate, until some were seen
	if l.records > 0 {
		perRecord = float64(l.bytes) / float64(l.records)
	}
	return uint64(float64(bytes) / perRecord), bytes
}
