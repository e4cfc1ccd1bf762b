package wire

import (
	"encoding/binary"

	"github.com/gospaces/gospaces/txn"
)

// flagAsk in the type of a repeated call asks for the outcome only: the call is not executed if it has none.
const flagAsk = 1 << 7

// AppendRepeated appends the beginning of a Repeat: what call was made before, and its number. The body of that call
// follows.
func AppendRepeated(dst []byte, op Type, ask bool, number uint64) []byte {
	if ask {
		op |= flagAsk
	}
	return binary.AppendUvarint(append(dst, byte(op)), number)
}

// Repeated decodes the beginning of a Repeat. number is 0 if it is malformed.
func (d *Decoder) Repeated() (op Type, ask bool, number uint64) {
	c := d.Byte()
	if number = d.Uvarint(); number > MaxCall {
		number = 0
	}
	return Type(c &^ flagAsk), c&flagAsk != 0, number
}

// Opened is the answer to an Open: what the client has to know of the partition that it has opened.
type Opened struct {
	Incarnation string    // of the space
	Partitions  int       // of the space, 0 if it does not exist
	Session     uint64    // number of the client's session with the partition, 0 if it has none
	Lost        bool      // the outcomes of the client's previous session are lost
	Txns        []OpenTxn // the client's open transactions there
}

// OpenTxn is an open transaction.
type OpenTxn struct {
	Number uint64
	Call   uint64 // number of the call that began it
}

// AppendOpened appends o.
func AppendOpened(dst []byte, o *Opened) []byte {
	dst = binary.AppendUvarint(AppendBytes(dst, o.Incarnation), uint64(o.Partitions))
	dst = append(binary.AppendUvarint(dst, o.Session), flag(o.Lost))
	for _, t := range o.Txns {
		dst = binary.AppendUvarint(binary.AppendUvarint(dst, t.Number), t.Call)
	}
	return dst
}

func flag(on bool) byte {
	if on {
		return 1
	}
	return 0
}

// Opened decodes an answer of AppendOpened, which is the rest of a body.
func (d *Decoder) Opened() *Opened {
	o := &Opened{
		Incarnation: string(d.Bytes()), Partitions: d.Len(txn.MaxPartitions), Session: d.Uvarint(), Lost: d.Byte() != 0,
	}
	for d.More() {
		o.Txns = append(o.Txns, OpenTxn{d.Uvarint(), d.Uvarint()})
	}
	return o
}
