package store

// directory finds entries by identity. Identities are given out in rising order, so it keeps them in pages, as arrays:
// filing a new entry touches memory that is at hand, and finding one costs two steps. A page that has lost nearly all
// its entries hands the rest to a map, so that a few that live long do not keep it.
type directory struct {
	pages  map[uint64]*page // by identity / pageSize
	newest uint64           // number of the page that is being filled
	last   *page            // the one that was used last, under number lastN
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

// page holds the places of identities that follow each other; a zero place is none.
type page struct {
	places [pageSize]Place
	n      int
}

// Place says where an entry is. Slots begin at 1.
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

// put files an identity that is not in the directory.
func (d *directory) put(id uint64, at Place) {
	p := d.page(id)
	if p == nil {
		p = d.open(id >> pageShift)
	}
	p.places[id%pageSize] = at
	p.n++
	d.n++
}

// open makes page n. If it is the newest, the one that was so far may be given up.
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

// get returns where an entry is; false if there is none of that identity.
func (d *directory) get(id uint64) (Place, bool) {
	if p := d.page(id); p != nil && p.places[id%pageSize].Slot != 0 {
		return p.places[id%pageSize], true
	}
	at, ok := d.rest[id]
	return at, ok
}

// remove forgets an identity that is in the directory.
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

// dissolve moves what is left in a page to the map.
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
