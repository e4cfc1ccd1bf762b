package store

// directory finds entries by identity. Identities are issued in rising order, so it keeps them in pages of consecutive
// identities: adding an entry touches memory in the cache, and finding one takes two steps. A page that has lost nearly
// all its entries moves the rest to a map, so a few long-lived entries do not keep it.
type directory struct {
	pages  map[uint64]*page // by identity / pageSize
	newest uint64           // the page that is being filled
	last   *page            // the most recently used page, number lastN
	lastN  uint64
	spare  *page
	rest   map[uint64]Place
	n      int
}

const (
	pageShift = 9
	pageSize  = 1 << pageShift
	pageRest  = pageSize / 16 // a page with fewer entries is given up, unless it is the newest
)

// page holds the places of consecutive identities; a zero place is empty.
type page struct {
	places [pageSize]Place
	n      int
}

// Place is where an entry is stored. Slots begin at 1.
type Place struct {
	Kind uint32
	Slot Slot
}

func newDirectory() directory {
	return directory{pages: map[uint64]*page{}, rest: map[uint64]Place{}}
}

// page returns the page of an identity, or nil.
func (d *directory) page(id uint64) *page {
	n := id >> pageShift
	if d.last != nil && d.lastN == n {
		return d.last
	}
	p := d.pages[n]
	if p != nil {
		d.last, d.lastN = p, n
	}
	return p
}

// put adds an identity that is not in the directory.
func (d *directory) put(id uint64, at Place) {
	p := d.page(id)
	if p == nil {
		p = d.open(id >> pageShift)
	}
	p.places[id%pageSize] = at
	p.n++
	d.n++
}

// open creates page n. If it becomes the newest, the previous newest page may be dissolved.
func (d *directory) open(n uint64) *page {
	p := d.spare
	if p == nil {
		p = new(page)
	}
	d.spare = nil
	if n > d.newest {
		if old := d.pages[d.newest]; old != nil && old.n < pageRest {
			d.dissolve(d.newest, old)
		}
		d.newest = n
	}
	d.pages[n] = p
	d.last, d.lastN = p, n
	return p
}

// get returns the place of an entry; false if there is no entry with that identity.
func (d *directory) get(id uint64) (Place, bool) {
	if p := d.page(id); p != nil && p.places[id%pageSize].Slot != 0 {
		return p.places[id%pageSize], true
	}
	at, ok := d.rest[id]
	return at, ok
}

// remove removes an identity that is in the directory.
func (d *directory) remove(id uint64) {
	d.n--
	p := d.page(id)
	if p == nil || p.places[id%pageSize].Slot == 0 {
		delete(d.rest, id)
		if len(d.rest) == 0 && d.n == 0 {
			d.rest = map[uint64]Place{} // a map does not shrink
		}
		return
	}
	p.places[id%pageSize] = Place{}
	if p.n--; p.n < pageRest && id>>pageShift != d.newest {
		d.dissolve(id>>pageShift, p)
	}
}

// dissolve moves the remaining entries of a page to the map.
func (d *directory) dissolve(n uint64, p *page) {
	for i, at := range p.places {
		if at.Slot != 0 {
			d.rest[n<<pageShift+uint64(i)] = at
		}
	}
	delete(d.pages, n)
	*p = page{}
	d.last, d.spare = nil, p
}
