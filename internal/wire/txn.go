package wire

import (
	"encoding/binary"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/txn"
)

// AppendTxn appends the identity of a transaction; none takes one byte. An empty name stands for the space of the call.
func AppendTxn(dst []byte, id txn.ID) []byte {
	dst = binary.AppendUvarint(dst, id.Number)
	if id.Number == 0 {
		return dst
	}
	return AppendBytes(dst, id.Space)
}

// Txn decodes an identity of AppendTxn. Transactions of the space of the call need no allocation.
func (d *Decoder) Txn() txn.ID {
	id := txn.ID{Number: d.Uvarint()}
	if id.Number == 0 {
		return id
	}
	name := d.Bytes()
	if len(name) > MaxName {
		d.fail()
		return txn.ID{}
	}
	id.Space = string(name)
	return id
}

// AppendAddress appends the address of a partition.
func AppendAddress(dst []byte, a txn.Address) []byte {
	return binary.AppendUvarint(AppendBytes(dst, a.Space), uint64(a.Partition))
}

// Address decodes what AppendAddress appends.
func (d *Decoder) Address() txn.Address {
	name := d.Bytes()
	if len(name) > MaxName {
		d.fail()
		return txn.Address{}
	}
	return txn.Address{Space: string(name), Partition: uint16(d.Len(txn.MaxPartitions - 1))}
}

// AppendChange appends a new row for an entry.
func AppendChange(dst []byte, c *call.Change) []byte {
	dst = binary.AppendUvarint(dst, c.ID)
	dst = binary.AppendUvarint(dst, uint64(c.Version))
	dst = binary.AppendUvarint(dst, uint64(c.Kind))
	return AppendBytes(dst, c.Row)
}

// Change decodes a change of AppendChange; its row aliases the body.
func (d *Decoder) Change() call.Change {
	return call.Change{ID: d.Uvarint(), Version: d.Uint32(), Kind: d.Uint32(), Row: d.Bytes()}
}
