package cluster

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/gospaces/gospaces/txn"
)

// Beat is a heartbeat: what a node says of itself.
type Beat struct {
	Node    string
	Folder  string   // of the node
	Addr    string   // for clients
	Early   bool     // beside the regular ones, because there is news
	Scarce  bool     // the node has too little memory for more entries
	Control uint64   // position up to which the node has applied the control log
	Hears   []string // the nodes that it hears
	Parts   []Part   // the replicas on the node
}

// Part is a replica, as its node's heartbeats describe it.
type Part struct {
	At       txn.Address
	Created  uint64 // Space.Created: the replica is one of that space
	Epoch    uint64 // in which the node serves the partition; 0: it does not
	Position uint64 // up to which the replica has applied the log
	Index    uint64 // of the last entry of its Raft log; 0: unknown. Only a replica with the highest can be elected
	Able     bool   // it could lead
	Why      string // it could not
}

// beatVersion is the first byte of a heartbeat. Heartbeats of other versions are ignored.
const beatVersion = 4

// maxWhy is the maximum number of bytes of Part.Why in a heartbeat.
const maxWhy = 256

// errBeat is returned for bytes that are no heartbeat.
var errBeat = errors.New("cluster: malformed heartbeat")

// appendBeat appends the encoding of b.
func appendBeat(dst []byte, b *Beat) []byte {
	dst = append(dst, beatVersion)
	dst = appendString(appendString(appendString(dst, b.Node), b.Folder), b.Addr)
	dst = binary.AppendUvarint(append(dst, flag(b.Early)|flag(b.Scarce)<<1), b.Control)
	dst = binary.AppendUvarint(dst, uint64(len(b.Hears)))
	for _, node := range b.Hears {
		dst = appendString(dst, node)
	}
	dst = binary.AppendUvarint(dst, uint64(len(b.Parts)))
	for _, p := range b.Parts {
		dst = appendString(dst, p.At.Space)
		dst = binary.AppendUvarint(dst, uint64(p.At.Partition))
		dst = binary.AppendUvarint(dst, p.Created)
		dst = binary.AppendUvarint(dst, p.Epoch)
		dst = binary.AppendUvarint(dst, p.Position)
		dst = binary.AppendUvarint(dst, p.Index)
		dst = append(dst, flag(p.Able))
		if !p.Able {
			dst = appendString(dst, p.Why[:min(len(p.Why), maxWhy)])
		}
	}
	return dst
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

func appendString(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// parseBeat decodes a heartbeat. It allocates no more than what it is given, times a constant.
func parseBeat(data []byte) (*Beat, error) {
	d := reader{b: data}
	if v := d.byte(); v != beatVersion {
		return nil, fmt.Errorf("%w: version %d", errBeat, v)
	}
	b := &Beat{Node: d.string(), Folder: d.string(), Addr: d.string()}
	flags := d.byte()
	b.Early, b.Scarce, b.Control = flags&1 != 0, flags&2 != 0, d.uvarint()
	d.bad = d.bad || flags > 3
	for n := d.uvarint(); n > 0 && !d.bad; n-- {
		b.Hears = append(b.Hears, d.string())
	}
	for n := d.uvarint(); n > 0 && !d.bad; n-- {
		p := Part{At: txn.Address{Space: d.string()}}
		number := d.uvarint()
		d.bad = d.bad || number >= txn.MaxPartitions
		p.At.Partition = uint16(number)
		p.Created, p.Epoch, p.Position, p.Index = d.uvarint(), d.uvarint(), d.uvarint(), d.uvarint()
		p.Able = d.byte() == 1
		if !p.Able {
			p.Why = d.string()
		}
		b.Parts = append(b.Parts, p)
	}
	if d.bad || len(d.b) > 0 || b.Node == "" {
		return nil, errBeat
	}
	return b, nil
}

// reader takes values off the front of b, and records whether one was missing.
type reader struct {
	b   []byte
	bad bool
}

func (d *reader) byte() byte {
	if len(d.b) == 0 {
		d.bad = true
		return 0
	}
	v := d.b[0]
	d.b = d.b[1:]
	return v
}

func (d *reader) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *reader) string() string {
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		d.bad, d.b = true, nil
		return ""
	}
	s := string(d.b[:n])
	d.b = d.b[n:]
	return s
}
