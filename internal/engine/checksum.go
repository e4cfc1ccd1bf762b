package engine

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/gospaces/gospaces/internal/record"
)

// Checksum makes a checksum of an image: of the state that the log carries. Engines that have applied the same records
// have the same, although they draw images in different orders, and number the places of entries differently. It keeps
// 16 bytes for each entry until Sum is called. The zero value is ready for use.
type Checksum struct {
	sum    uint64    // of the checksums of all records
	places [][]place // of the visible entries, by KindID-1
	buf    []byte
}

// place is where an entry is in the order of its kind.
type place struct{ order, entry uint64 }

// Write adds whole records of the image. It returns an error that wraps record.ErrCorrupt.
func (c *Checksum) Write(records []byte) error {
	var r record.Record
	for len(records) > 0 {
		rest, err := record.Next(records, &r)
		if err != nil {
			return err
		}
		c.add(&r, records[:len(records)-len(rest)])
		records = rest
	}
	return nil
}

// add adds one record, whose bytes are raw.
func (c *Checksum) add(r *record.Record, raw []byte) {
	switch r.Op {
	case record.Index, record.Unread, record.Ended:
		return // they tell of what helps, not of the state
	case record.Counters:
		raw = c.counters(r)
	case record.Entry:
		if r.Visible == 0 {
			c.place(r)
		}
		c.buf = record.AppendEntry(c.buf[:0], r.ID, r.Kind, r.Expires, r.Visible, 0, r.Version, r.Tries, r.Body)
		raw = c.buf
	}
	c.sum += xxhash.Sum64(raw)
}

// counters returns the counters that the log carries. The others depend on what a primary has done without it.
func (c *Checksum) counters(r *record.Record) []byte {
	c.buf = append(c.buf[:0], byte(r.Op))
	for i, b := 0, r.Body; len(b) > 0; i++ {
		n, width := binary.Uvarint(b)
		if width <= 0 {
			break
		}
		if i == countsIDs || i == countsExpired || i == countsFates {
			c.buf = binary.AppendUvarint(c.buf, n)
		}
		b = b[width:]
	}
	return c.buf
}

// place notes the place of an entry.
func (c *Checksum) place(r *record.Record) {
	for len(c.places) < int(r.Kind) {
		c.places = append(c.places, nil)
	}
	c.places[r.Kind-1] = append(c.places[r.Kind-1], place{r.Number, r.ID})
}

// Sum returns the checksum. Nothing may be added after it.
func (c *Checksum) Sum() uint64 {
	h := xxhash.New()
	var b [8]byte
	for _, places := range c.places {
		slices.SortFunc(places, func(x, y place) int { return cmp.Compare(x.order, y.order) })
		for _, at := range places {
			binary.LittleEndian.PutUint64(b[:], at.entry)
			h.Write(b[:])
		}
	}
	c.places = nil
	return c.sum + h.Sum64()
}
