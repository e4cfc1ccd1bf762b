package store

import (
	"encoding/binary"
	"math/bits"
)

// arena holds the rows of all entries outside the collector's view: rows of similar size share large blocks without
// pointers, and a row is known by a number. Ten million rows are a few thousand objects to the collector.
//
// Sizes are rounded up to classes, four to each power of two, so that at most a fifth is lost. A free unit holds the
// number of the next free one. A class that becomes empty gives all its blocks but one back.
type arena struct {
	classes [numClasses]class
	large   [][]byte // rows beyond maxUnit, each on its own
	free    []uint32 // unused numbers of large
	bytes   int64    // of all blocks and large rows
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
	blocks [][]byte
	used   int    // units in use
	next   uint32 // first unit never used
	free   uint32 // first free unit + 1; 0 if none
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

// put copies row into the arena.
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

// alloc returns a free unit of c, which is class number n, and by how many bytes the class has grown for it.
func (c *class) alloc(n int) (u uint32, grown int) {
	c.used++
	if c.free != 0 {
		u := c.free - 1
		c.free = binary.LittleEndian.Uint32(c.at(u))
		return u, 0
	}
	if c.unit == 0 {
		c.unit = unitOf(n)
		c.shift = uint(bits.Len(uint(max(blockBytes/c.unit, 2))) - 1)
	}
	u = c.next
	if int(u>>c.shift) == len(c.blocks) {
		grown = c.unit << c.shift
		c.blocks = append(c.blocks, make([]byte, grown))
	}
	c.next++
	return u, grown
}

// unused returns how many units there are that hold nothing.
func (c *class) unused() int { return len(c.blocks)<<c.shift - c.used }

// at returns the bytes of unit u.
func (c *class) at(u uint32) []byte {
	off := int(u&(1<<c.shift-1)) * c.unit
	return c.blocks[u>>c.shift][off : off+c.unit : off+c.unit]
}

// release frees a unit, and returns the bytes of the blocks that are given back.
func (c *class) release(u uint32) (shrunk int) {
	if c.used--; c.used == 0 {
		shrunk = (len(c.blocks) - 1) * c.unit << c.shift
		clear(c.blocks[1:])
		c.blocks, c.next, c.free = c.blocks[:1], 0, 0
		return shrunk
	}
	binary.LittleEndian.PutUint32(c.at(u), c.free)
	c.free = u + 1
	return 0
}

// fits reports whether there is a unit for a row of n bytes that is in use for nothing else.
func (a *arena) fits(n int) bool {
	return n == 0 || n <= maxUnit && a.classes[classOf(n)].unused() > 0
}
