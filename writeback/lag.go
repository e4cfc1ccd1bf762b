package writeback

// lag measures what the log holds beyond what is in the database. Its bytes are exact from the time on at which everything was
// in the database; before that they are taken from the average of the log.
type lag struct {
	position uint64 // of the database
	records  uint64 // brought there by this process
	bytes    int64  // of them, as the log counts, about

	level   bool  // everything was there once
	atLevel int64 // then, what the log had ever appended less bytes
}

// messageCost is about what a message takes in the log besides its records.
const messageCost = 110

// open notes where the database is when a session begins.
func (l *lag) open(position uint64) {
	if position != l.position {
		l.position, l.level = position, false
	}
}

// commit notes that b is in the database.
func (l *lag) commit(b *batch, source Source) {
	l.position = b.to
	l.records += uint64(b.records)
	l.bytes += b.size + int64(b.to-b.from)*messageCost
	if sizer, ok := source.(Sizer); ok {
		if _, _, appended := sizer.Size(); source.Last() == b.to { // nothing was appended since
			l.level, l.atLevel = true, appended-l.bytes
		}
	}
}

// behind returns about how many records and bytes the log holds beyond the database. last is the end of the log.
func (l *lag) behind(source Source, last uint64) (records uint64, bytes int64) {
	sizer, ok := source.(Sizer)
	if !ok || last <= l.position {
		return 0, 0
	}
	messages, size, appended := sizer.Size()
	switch {
	case l.level:
		bytes = max(0, appended-l.bytes-l.atLevel)
	case messages > 0:
		bytes = int64(float64(size) * float64(min(last-l.position, messages)) / float64(messages))
	}
	perRecord := 100.0 // a guess, until some were seen
	if l.records > 0 {
		perRecord = float64(l.bytes) / float64(l.records)
	}
	return uint64(float64(bytes) / perRecord), bytes
}
