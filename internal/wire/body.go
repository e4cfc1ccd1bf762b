package wire

import (
	"encoding/binary"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/template"
)

// body is how what a call asks is written and read.
type body struct {
	append func(dst []byte, a *call.Ask) []byte
	decode func(d *Decoder, a *call.Ask, q *Query)
}

var openBody = body{
	func(dst []byte, a *call.Ask) []byte {
		dst = binary.AppendUvarint(AppendAddress(dst, a.At), a.Session)
		return binary.AppendUvarint(dst, a.Resets)
	},
	func(d *Decoder, a *call.Ask, _ *Query) {
		a.At, a.Session, a.Resets = d.Address(), d.Uvarint(), d.Uvarint()
	},
}

var nameBody = body{
	func(dst []byte, a *call.Ask) []byte { return AppendBytes(dst, a.Name) },
	func(d *Decoder, a *call.Ask, _ *Query) { a.Name = string(d.Bytes()) },
}

var createSpaceBody = body{
	func(dst []byte, a *call.Ask) []byte {
		dst = binary.AppendUvarint(AppendBytes(dst, a.Name), a.Shape.Partitions)
		return binary.AppendUvarint(dst, a.Shape.Replicas)
	},
	func(d *Decoder, a *call.Ask, _ *Query) {
		a.Name, a.Shape = string(d.Bytes()), call.Shape{Partitions: d.Uvarint(), Replicas: d.Uvarint()}
	},
}

var dropSpaceBody = body{
	func(dst []byte, a *call.Ask) []byte { return append(AppendBytes(dst, a.Name), flag(a.Tables)) },
	func(d *Decoder, a *call.Ask, _ *Query) { a.Name, a.Tables = string(d.Bytes()), d.Byte() != 0 },
}

var fetchBody = body{
	func(dst []byte, a *call.Ask) []byte {
		return binary.AppendUvarint(AppendAddress(binary.AppendUvarint(dst, a.ID), a.At), a.Seq)
	},
	func(d *Decoder, a *call.Ask, _ *Query) {
		a.ID, a.At, a.Seq = d.Uvarint(), d.Address(), d.Uvarint()
	},
}

var idBody = body{
	func(dst []byte, a *call.Ask) []byte { return binary.AppendUvarint(dst, a.ID) },
	func(d *Decoder, a *call.Ask, _ *Query) { a.ID = d.Uvarint() },
}

var schemaBody = body{
	func(dst []byte, a *call.Ask) []byte { return template.AppendSchema(dst, a.Schema) },
	func(d *Decoder, a *call.Ask, _ *Query) {
		var err error
		if a.Schema, err = template.DecodeSchema(d.Rest()); err != nil {
			d.fail()
			d.why = err
		}
	},
}

var writeBody = body{
	func(dst []byte, a *call.Ask) []byte { return appendDrafts(AppendTxn(dst, a.Txn), a.Drafts) },
	func(d *Decoder, a *call.Ask, _ *Query) { a.Txn, a.Drafts = d.Txn(), d.Drafts(a.Drafts[:0]) },
}

var updateBody = body{
	func(dst []byte, a *call.Ask) []byte { return AppendChange(AppendTxn(dst, a.Txn), &a.Change) },
	func(d *Decoder, a *call.Ask, _ *Query) { a.Txn, a.Change = d.Txn(), d.Change() },
}

var findBody = body{
	func(dst []byte, a *call.Ask) []byte { return AppendQuery(AppendFind(dst, a.Query, a.Wait), a.Query) },
	func(d *Decoder, a *call.Ask, q *Query) { a.Wait, a.Query = q.DecodeFind(d), &q.Query },
}

var countBody = body{
	func(dst []byte, a *call.Ask) []byte {
		return AppendQuery(AppendSelection(dst, a.Query.ID, a.Query.Held), a.Query)
	},
	func(d *Decoder, a *call.Ask, q *Query) {
		id, held := d.Selection()
		q.Decode(d)
		q.ID, q.Held, q.Max = id, held, 1 // of any
		a.Query = &q.Query
	},
}

var contentsBody = body{
	func(dst []byte, a *call.Ask) []byte {
		dst = AppendCursor(AppendSelection(dst, a.Query.ID, a.Query.Held), a.Cursor)
		return AppendQuery(binary.AppendUvarint(dst, uint64(a.Query.Max)), a.Query)
	},
	func(d *Decoder, a *call.Ask, q *Query) {
		id, held := d.Selection()
		a.Cursor = d.Cursor()
		limit := d.Uvarint()
		q.Decode(d)
		q.ID, q.Held, q.Max = id, held, int(min(limit, MaxFind))
		a.Query = &q.Query
	},
}

var notifyBody = body{
	func(dst []byte, a *call.Ask) []byte {
		dst = binary.AppendUvarint(AppendLease(dst, a.Lease), a.Window)
		return AppendQuery(AppendEventSet(dst, a.On), a.Query)
	},
	func(d *Decoder, a *call.Ask, q *Query) {
		a.Lease, a.Window, a.On = d.Lease(), d.Uvarint(), d.EventSet()
		q.Decode(d)
		q.Max = 1
		a.Query = &q.Query
	},
}

var attachBody = body{
	func(dst []byte, a *call.Ask) []byte {
		return binary.AppendUvarint(binary.AppendUvarint(binary.AppendUvarint(dst, a.ID), a.Seq), a.Window)
	},
	func(d *Decoder, a *call.Ask, _ *Query) { a.ID, a.Seq, a.Window = d.Uvarint(), d.Uvarint(), d.Uvarint() },
}

var acknowledgeBody = body{
	func(dst []byte, a *call.Ask) []byte {
		return binary.AppendUvarint(binary.AppendUvarint(binary.AppendUvarint(dst, a.ID), a.Seq), a.Size)
	},
	func(d *Decoder, a *call.Ask, _ *Query) { a.ID, a.Seq, a.Size = d.Uvarint(), d.Uvarint(), d.Uvarint() },
}

var leaseBody = body{
	func(dst []byte, a *call.Ask) []byte { return AppendLease(dst, a.Lease) },
	func(d *Decoder, a *call.Ask, _ *Query) { a.Lease = d.Lease() },
}

var idsBody = body{
	func(dst []byte, a *call.Ask) []byte { return appendIDs(dst, a.IDs) },
	func(d *Decoder, a *call.Ask, _ *Query) { a.IDs = d.ids(a.IDs[:0]) },
}

var renewBody = body{
	func(dst []byte, a *call.Ask) []byte { return appendIDs(AppendLease(dst, a.Lease), a.IDs) },
	func(d *Decoder, a *call.Ask, _ *Query) { a.Lease, a.IDs = d.Lease(), d.ids(a.IDs[:0]) },
}

var txnBody = body{
	func(dst []byte, a *call.Ask) []byte { return AppendTxn(dst, a.Txn) },
	func(d *Decoder, a *call.Ask, _ *Query) { a.Txn = d.Txn() },
}

var rollbackBody = body{
	func(dst []byte, a *call.Ask) []byte { return appendIDs(AppendTxn(dst, a.Txn), a.IDs) },
	func(d *Decoder, a *call.Ask, _ *Query) { a.Txn, a.IDs = d.Txn(), d.ids(a.IDs[:0]) },
}

var deferBody = body{
	func(dst []byte, a *call.Ask) []byte {
		return binary.AppendUvarint(binary.AppendUvarint(AppendTxn(dst, a.Txn), a.ID), uint64(a.Delay))
	},
	func(d *Decoder, a *call.Ask, _ *Query) {
		a.Txn, a.ID, a.Delay = d.Txn(), d.Uvarint(), int64(d.Duration())
	},
}

var outcomeBody = body{
	func(dst []byte, a *call.Ask) []byte { return AppendTxn(binary.AppendUvarint(dst, a.Session), a.Txn) },
	func(d *Decoder, a *call.Ask, _ *Query) { a.Session, a.Txn = d.Uvarint(), d.Txn() },
}

func appendDrafts(dst []byte, drafts []call.Draft) []byte {
	delayed := false
	for i := range drafts {
		delayed = delayed || drafts[i].Delay != 0
	}
	dst = AppendDrafts(dst, len(drafts), delayed)
	for i := range drafts {
		e := &drafts[i]
		if delayed {
			dst = AppendDelayed(dst, e.Kind, e.Lease, e.Delay, e.Row)
		} else {
			dst = AppendDraft(dst, e.Kind, e.Lease, e.Row)
		}
	}
	return dst
}

func appendIDs(dst []byte, ids []uint64) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(ids)))
	for _, id := range ids {
		dst = binary.AppendUvarint(dst, id)
	}
	return dst
}

// ids decodes what appendIDs appends, and appends them to dst.
func (d *Decoder) ids(dst []uint64) []uint64 {
	for n := d.Len(MaxLeases); n > 0 && !d.bad; n-- {
		dst = append(dst, d.Uvarint())
	}
	return dst
}

// AppendQuery appends a query, the transaction under which it is made included.
func AppendQuery(dst []byte, q *call.Query) []byte {
	dst = binary.AppendUvarint(AppendTxn(dst, q.Txn), uint64(len(q.Templates)))
	for i := range q.Templates {
		if t := &q.Templates[i]; t.Named != nil {
			dst = AppendNamed(dst, &t.Named.Template)
		} else {
			dst = AppendTemplate(dst, t.Kind, t.Conds)
		}
	}
	return template.AppendOrder(dst, q.Order)
}
