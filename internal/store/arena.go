package store

import (
	"encoding/binary"
	"math/bits"
)

// arena holds the rows of all entries outside the garbage collector's view: rows of similar size share large blocks
// without pointers, and a row is known by a number. To the collector, ten million rows are a few thousand objects.
//
// Sizes are rounded up to classes, four for each power of two, so at most a fifth is lost. A free unit holds the number
// of the next free unit of its block. Empty blocks are given back, except one of each class. A few long-lived rows
// therefore keep only the blocks that they are in.
type arena struct {
	classes [numClasses]class
	large   [][]byte // rows larger than maxUnit, one each
	free    []uint32 // unused numbers of large
	bytes   int64    // in all blocks and large rows
}

// Ref is the place of a row: its class in the low 8 bits, its unit above. The zero Ref is the empty row.
type Ref uint64

const (
	minUnit    = 16
	maxUnit    = 32 << 10
	numClasses = 4*11 + 1 // 16, 20, 24, 28, 32, … 32768
	blockBytes = 64 << 10
	largeClass = numClasses
)

type class struct {
	unit   int  // bytes per row
	shift  uint // a block holds 1<<shift units
	blocks []block
	made   int      // blocks that have memory
	used   int      // units in use
	spare  int      // blocks that have memory and nothing in use
	open   []uint32 // numbers of blocks with room, and of some that have been given back since
	vacant []uint32 // numbers of blocks without memory
}

type block struct {
	data []byte
	used uint32 // units in use
	next uint32 // first unit never used
	free uint32 // first free unit + 1; 0 if none
	open bool   // it is in class.open
}

// classOf returns the smallest class whose units hold n bytes.
func classOf(n int) int {
	if n <= minUnit {
		return 0
	}
	e := bits.Len(uint(n-1)) - 1 // n-1 is in [1<<e, 2<<e)
	quarter := (n - 1) >> (e - 2) & 3
	return (e-4)*4 + quarter + 1
}

// unitOf returns the size of the units of class c.
func unitOf(c int) int {
	return (4 + c%4) << (2 + c/4)
}

// put copies row into the arena and returns its place.
func (a *arena) put(row []byte) Ref {
	if len(row) == 0 {
		return 0
	}
	if len(row) > maxUnit {
		return a.putLarge(row)
	}
	n := classOf(len(row))
	c := &a.classes[n]
	u, grown := c.alloc(n)
	a.bytes += int64(grown)
	copy(c.at(u), row)
	return Ref(u)<<8 | Ref(n) + 1
}

// get returns the first n bytes at r. They stay valid until r is freed.
func (a *arena) get(r Ref, n uint32) []byte {
	switch c := int(r&0xff) - 1; {
	case c < 0:
		return nil
	case c == largeClass:
		return a.large[r>>8]
	default:
		return a.classes[c].at(uint32(r >> 8))[:n:n]
	}
}

// drop frees the row at r.
func (a *arena) drop(r Ref) {
	switch c := int(r&0xff) - 1; {
	case c < 0:
	case c == largeClass:
		a.bytes -= int64(len(a.large[r>>8]))
		a.large[r>>8] = nil
		a.free = append(a.free, uint32(r>>8))
	default:
		a.bytes -= int64(a.classes[c].release(uint32(r >> 8)))
	}
}

func (a *arena) putLarge(row []byte) Ref {
	own := append([]byte(nil), row...)
	a.bytes += int64(len(own))
	if n := len(a.free); n > 0 {
		i := a.free[n-1]
		a.free = a.free[:n-1]
		a.large[i] = own
		return Ref(i)<<8 | largeClass + 1
	}
	a.large = append(a.large, own)
	return Ref(len(a.large)-1)<<8 | largeClass + 1
}

// alloc returns a free unit of class number n, and the number of bytes by which the class grew.
func (c *class) alloc(n int) (u uint32, grown int) {
	for len(c.open) > 0 {
		i := c.open[len(c.open)-1]
		if b := &c.blocks[i]; b.data != nil && b.used < 1<<c.shift {
			return c.take(i), 0
		}
		c.blocks[i].open = false
		c.open = c.open[:len(c.open)-1]
	}
	if c.unit == 0 {
		c.unit = unitOf(n)
		c.shift = uint(bits.Len(uint(max(blockBytes/c.unit, 2))) - 1)
	}
	i := uint32(len(c.blocks))
	if v := len(c.vacant); v > 0 {
		i, c.vacant = c.vacant[v-1], c.vacant[:v-1]
	} else {
		c.blocks = append(c.blocks, block{})
	}
	grown = c.unit << c.shift
	c.blocks[i] = block{data: make([]byte, grown), open: true}
	c.open = append(c.open, i)
	c.made++
	c.spare++
	return c.take(i), grown
}

// take allocates a unit of block i, which has room.
func (c *class) take(i uint32) uint32 {
	b := &c.blocks[i]
	if b.used == 0 {
		c.spare--
	}
	c.used++
	b.used++
	u := i<<c.shift + b.next
	if b.free != 0 {
		u = b.free - 1
		b.free = binary.LittleEndian.Uint32(c.at(u))
	} else {
		b.next++
	}
	return u
}

// unused returns the number of free units.
func (c *class) unused() int { return c.made<<c.shift - c.used }

// at returns the bytes of unit u.
func (c *class) at(u uint32) []byte {
	off := int(u&(1<<c.shift-1)) * c.unit
	return c.blocks[u>>c.shift].data[off : off+c.unit : off+c.unit]
}

// release frees a unit, and returns the bytes of the block that is given back, if any.
func (c *class) release(u uint32) (shrunk int) {
	i := u >> c.shift
	b := &c.blocks[i]
	binary.LittleEndian.PutUint32(c.at(u), b.free)
	b.free = u + 1
	b.used--
	c.used--
	if !b.open {
		b.open = true
		c.open = append(c.open, i)
	}
	switch {
	case b.used > 0:
		return 0
	case c.spare == 0:
		c.spare++
		return 0
	}
	*b = block{open: b.open} // the class already has a spare block
	c.vacant = append(c.vacant, i)
	c.made--
	return c.unit << c.shift
}

// fits reports whether there is a free unit for a row of n bytes, so that no memory need be allocated.
func (a *arena) fits(n int) bool {
	return n == 0 || n <= maxUnit && a.classes[classOf(n)].unused() > 0
}
