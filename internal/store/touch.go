package store

const (
	cacheLine  = 64
	touchedRow = 512 // bytes; the processor prefetches the rest of longer rows itself
)

// Touch reads a little of all memory that taking the entry in slot s will use. That memory is scattered, and in a large
// space none of it is cached. Each piece would cause a wait of its own where it is first needed; read here in a row,
// all of them arrive together.
func (p *Pool) Touch(s Slot) {
	st, en := p.table.store, p.table.entries.at(s)
	sum := around(&p.order, s) + st.rows.touch(en.Row, en.Size) + st.places.touch(en.ID)
	for _, ix := range p.indexes {
		h, ok := ix.keep.(*hashed)
		if !ok || !ix.Live() {
			continue
		}
		if b := *h.in.at(s); b != 0 { // otherwise a field is null, and the entry in no list
			sum += b + around(&h.links, s)
		}
	}
	st.touched = sum
}

// around reads the neighbours of a link.
func around(links *Links, s Slot) uint32 {
	l := links.at(s)
	return links.at(l.prev).next + links.at(l.next).prev
}

func (a *arena) touch(r Ref, n uint32) uint32 {
	sum := uint32(0)
	row := a.get(r, n)
	for i := 0; i < min(len(row), touchedRow); i += cacheLine {
		sum += uint32(row[i])
	}
	return sum
}

func (d *directory) touch(id uint64) uint32 {
	if p := d.page(id); p != nil {
		return uint32(p.places[id%pageSize].Slot)
	}
	return 0
}
