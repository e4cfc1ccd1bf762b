package writeback

// changes returns the maximum number of rows that b changes.
func (b *batch) changes() int {
	n := len(b.gone) + len(b.patches)
	for i := range b.puts {
		if !b.puts[i].dead {
			n++
		}
	}
	return n
}

// divide returns n batches that together have the effect of b. All changes of an entry, and of entries tied to it, are
// in one of them.
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

// lane returns the lane, of n, for an entry. Neighbouring entries use different lanes, so that all lanes insert near
// the end of the primary key.
func lane(entry uint64, n int) int {
	const golden = 0x9e3779b97f4a7c15 // spreads numbers that are close together, or have a common factor
	return int(entry * golden >> 33 % uint64(n))
}

// overwrite makes b replace the rows of all entries that it puts, since some may exist.
func (b *batch) overwrite() {
	for i := range b.puts {
		b.puts[i].known = true
	}
}
