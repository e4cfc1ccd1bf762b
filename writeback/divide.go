package writeback

// changes returns how many rows b changes, or might.
func (b *batch) changes() int {
	n := len(b.gone) + len(b.patches)
	for i := range b.puts {
		if !b.puts[i].dead {
			n++
		}
	}
	return n
}

// divide returns n batches that together do what b does. What b does to an entry is in one of them, and so is what it
// does to entries that are tied.
func (b *batch) divide(n int) []*batch {
	parts := make([]*batch, n)
	for i := range parts {
		parts[i] = newBatch(b.modes)
		parts[i].puts = make([]put, 0, len(b.puts)/n+len(b.puts)/16)
	}
	of := func(entry uint64) *batch { return parts[lane(b.ties.root(entry), n)] }
	for i := range b.puts {
		if p := &b.puts[i]; !p.dead {
			part := of(p.entry)
			part.puts = append(part.puts, *p)
		}
	}
	for entry, left := range b.gone {
		of(entry).gone[entry] = left
	}
	for entry, p := range b.patches {
		of(entry).patches[entry] = p
	}
	return parts
}

// lane returns which of n lanes an entry is for. Neighbours are for different ones, so that all lanes insert near the
// end of the primary key.
func lane(entry uint64, n int) int {
	const golden = 0x9e3779b97f4a7c15 // spreads numbers that are near each other, or have a common factor
	return int(entry * golden >> 33 % uint64(n))
}

// overwrite makes b replace the rows of all entries that it puts, because some may be there.
func (b *batch) overwrite() {
	for i := range b.puts {
		b.puts[i].known = true
	}
}
