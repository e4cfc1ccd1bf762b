// Package record is the format of the log: decisions of a primary, one after the other, in groups.
//
// Records are decisions, not requests: applying them needs no clock and no matching. They are read by restart, by
// followers and by the database writer. A group is the content of one log message; all of it takes effect or none.
package record

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Op says what a record decides. The numbers are in logs on disk; they are append only.
type Op uint8

const (
	Kind       Op = 1 // kind ID has the schema Body (template.AppendSchema)
	Put        Op = 2 // entry ID of kind Kind with fields Body is visible, until Expires
	Remove     Op = 3 // entry ID is gone, for Reason
	Renew      Op = 4 // the lease of entry or registration ID ends at Expires
	Register   Op = 5 // registration ID for the query Body lives until Expires
	Unregister Op = 6 // registration ID has ended, for Reason
	Notify     Op = 7 // registration ID has one more event: entry Entry was written
)

// Reason says why something ended. The numbers are in logs on disk; they are append only.
type Reason uint8

const (
	Taken     Reason = 1
	Expired   Reason = 2
	Cancelled Reason = 3
)

// Record is one decoded record; which fields are set depends on Op.
type Record struct {
	Op      Op
	Reason  Reason
	Kind    uint32
	ID      uint64
	Entry   uint64
	Expires int64  // nanoseconds since the Unix epoch; math.MaxInt64 is never
	Body    []byte // aliases the group
}

// ErrCorrupt is returned for bytes that are not a record of a known version.
var ErrCorrupt = errors.New("record: corrupt record")

// AppendKind appends a Kind record.
func AppendKind(dst []byte, kind uint32, schema []byte) []byte {
	return appendBody(binary.AppendUvarint(append(dst, byte(Kind)), uint64(kind)), schema)
}

// AppendPut appends a Put record.
func AppendPut(dst []byte, id uint64, kind uint32, expires int64, row []byte) []byte {
	dst = binary.AppendUvarint(append(dst, byte(Put)), id)
	dst = binary.AppendUvarint(dst, uint64(kind))
	return appendBody(appendExpires(dst, expires), row)
}

// AppendRemove appends a Remove record.
func AppendRemove(dst []byte, id uint64, why Reason) []byte {
	return append(binary.AppendUvarint(append(dst, byte(Remove)), id), byte(why))
}

// AppendRenew appends a Renew record.
func AppendRenew(dst []byte, id uint64, expires int64) []byte {
	return appendExpires(binary.AppendUvarint(append(dst, byte(Renew)), id), expires)
}

// AppendRegister appends a Register record.
func AppendRegister(dst []byte, id uint64, expires int64, query []byte) []byte {
	return appendBody(appendExpires(binary.AppendUvarint(append(dst, byte(Register)), id), expires), query)
}

// AppendUnregister appends an Unregister record.
func AppendUnregister(dst []byte, id uint64, why Reason) []byte {
	return append(binary.AppendUvarint(append(dst, byte(Unregister)), id), byte(why))
}

// AppendNotify appends a Notify record.
func AppendNotify(dst []byte, id, entry uint64) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(append(dst, byte(Notify)), id), entry)
}

// Next decodes the first record of b into r and returns the rest of b. It returns ErrCorrupt for what is not a record.
func Next(b []byte, r *Record) (rest []byte, err error) {
	if len(b) == 0 {
		return nil, ErrCorrupt
	}
	d := decoder{b: b[1:]}
	*r = Record{Op: Op(b[0])}
	switch r.Op {
	case Kind:
		r.Kind, r.Body = d.uint32(), d.body()
	case Put:
		r.ID, r.Kind, r.Expires, r.Body = d.uvarint(), d.uint32(), d.expires(), d.body()
	case Remove, Unregister:
		r.ID, r.Reason = d.uvarint(), Reason(d.byte())
	case Renew:
		r.ID, r.Expires = d.uvarint(), d.expires()
	case Register:
		r.ID, r.Expires, r.Body = d.uvarint(), d.expires(), d.body()
	case Notify:
		r.ID, r.Entry = d.uvarint(), d.uvarint()
	default:
		return nil, fmt.Errorf("%w: unknown operation %d", ErrCorrupt, b[0])
	}
	if d.bad {
		return nil, fmt.Errorf("%w: operation %d ends too early", ErrCorrupt, b[0])
	}
	return d.b, nil
}
