package wire

import (
	"encoding/binary"
	"math"

	"github.com/gospaces/gospaces/internal/call"
)

func appendTopology(dst []byte, r *call.Report) []byte {
	t := r.Topology
	dst = binary.AppendUvarint(binary.AppendUvarint(dst, t.Version), uint64(len(t.Nodes)))
	for _, n := range t.Nodes {
		dst = AppendBytes(AppendBytes(dst, n.Name), n.Addr)
	}
	for _, p := range t.Places {
		dst = appendEpoch(AppendBytes(AppendAddress(dst, p.At), p.Node), p.Epoch)
	}
	return dst
}

func appendEpoch(dst []byte, e call.Epoch) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(dst, e.Created), e.Claim)
}

func (d *Decoder) epoch() call.Epoch { return call.Epoch{Created: d.Uvarint(), Claim: d.Uvarint()} }

func (d *Decoder) topology(r *call.Report) {
	t := &call.Topology{Version: d.Uvarint()}
	for n := d.Len(math.MaxInt32); n > 0 && !d.bad; n-- {
		t.Nodes = append(t.Nodes, call.Member{Name: string(d.Bytes()), Addr: string(d.Bytes())})
	}
	for d.More() {
		t.Places = append(t.Places, call.Placed{At: d.Address(), Node: string(d.Bytes()), Epoch: d.epoch()})
	}
	r.Topology = t
}
