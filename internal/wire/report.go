package wire

import (
	"encoding/binary"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/txn"
)

// The answers that tell of a server, or of a partition as a whole.
var (
	bodyAnswer          = reported(appendBody, (*Decoder).body)
	namesAnswer         = reported(appendNames, (*Decoder).names)
	backupAnswer        = reported(appendBackup, (*Decoder).backup)
	pieceAnswer         = reported(appendPiece, (*Decoder).piece)
	topologyAnswer      = reported(appendTopology, (*Decoder).topology)
	registrationsAnswer = whole(appendRegistrations, (*Decoder).registrations)
)

// reported is whole for an answer with a Report.
func reported(add func(dst []byte, r *call.Report) []byte, decode func(d *Decoder, r *call.Report)) answer {
	return whole(
		func(dst []byte, r *call.Result) []byte { return add(dst, r.Report) },
		func(d *Decoder, r *call.Result) { r.Report = new(call.Report); decode(d, r.Report) })
}

func appendBody(dst []byte, r *call.Report) []byte { return append(dst, r.Body...) }

func (d *Decoder) body(r *call.Report) { r.Body = d.Rest() }

func appendNames(dst []byte, r *call.Report) []byte {
	for _, name := range r.Names {
		dst = AppendBytes(dst, name)
	}
	return dst
}

func (d *Decoder) names(r *call.Report) {
	for d.More() {
		r.Names = append(r.Names, string(d.Bytes()))
	}
}

func appendBackup(dst []byte, r *call.Report) []byte {
	dst = binary.AppendUvarint(dst, r.ID)
	for _, p := range r.Parts {
		dst = binary.AppendUvarint(binary.AppendUvarint(AppendAddress(dst, p.At), uint64(p.Of)), p.Position)
	}
	return dst
}

func (d *Decoder) backup(r *call.Report) {
	r.ID = d.Uvarint()
	for d.More() {
		r.Parts = append(r.Parts, call.BackupPart{At: d.Address(), Of: d.Len(txn.MaxPartitions), Position: d.Uvarint()})
	}
}

func appendPiece(dst []byte, r *call.Report) []byte {
	return append(binary.AppendUvarint(dst, r.Size), r.Body...)
}

func (d *Decoder) piece(r *call.Report) { r.Size, r.Body = d.Uvarint(), d.Rest() }

func appendRegistrations(dst []byte, r *call.Result) []byte {
	dst = append(dst, flag(r.More))
	for i := range r.Report.Registrations {
		g := &r.Report.Registrations[i]
		dst = AppendLease(binary.AppendUvarint(dst, g.ID), g.Left)
		dst = binary.AppendUvarint(AppendEventSet(dst, g.On), g.Seq)
		dst = binary.AppendUvarint(dst, uint64(len(g.Kinds)))
		for _, kind := range g.Kinds {
			dst = AppendBytes(dst, kind)
		}
		dst = binary.AppendUvarint(dst, g.Unread<<1|uint64(flag(g.Attended)))
	}
	return dst
}

func (d *Decoder) registrations(r *call.Result) {
	r.Report, r.More = new(call.Report), d.Byte() != 0
	for d.More() {
		var g call.Registration
		g.ID, g.Left, g.On, g.Seq = d.Uvarint(), d.Lease(), d.EventSet(), d.Uvarint()
		for n := d.Len(MaxTemplates); n > 0 && !d.bad; n-- {
			g.Kinds = append(g.Kinds, string(d.Bytes()))
		}
		state := d.Uvarint()
		g.Unread, g.Attended = state>>1, state&1 != 0
		r.Report.Registrations = append(r.Report.Registrations, g)
	}
}
