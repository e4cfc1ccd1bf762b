package engine

import (
	"encoding/binary"

	"github.com/gospaces/gospaces/internal/call"
)

// outcomes are the outcomes of a session's calls, oldest first, encoded one after the other in one reused buffer:
// keeping one allocates nothing, and the garbage collector sees no pointers.
//
// An outcome consists of its size (4 bytes), the LSN of its change (8 bytes), its sort (1 byte), the number of the call
// as a varint, and a body.
type outcomes struct {
	buf   []byte
	from  int    // start of the oldest in buf
	base  uint64 // position of buf[0] since the session began
	n     int
	lent  bool              // an image refers to the bytes in buf
	index map[uint64]uint64 // positions by call number; nil unless calls are being repeated
}

// sort is the type of an outcome's body.
type sort byte

const (
	isWrite    sort = iota // number of the first entry, count, leases
	isTake                 // an entry
	isTakeMore             // another entry of the same call
	isDone                 // see appendOutcome
)

// outcome is one decoded outcome, or a part of one.
type outcome struct {
	sort   sort
	lsn    uint64
	number uint64
	body   []byte
	next   uint64 // position of the one after it
}

const (
	sizeLen     = 4
	outcomeHead = sizeLen + 8 // not part of the state that the log carries
)

// maxKept is the maximum number of bytes of a session's outcomes. It is part of the log format: every replica must
// forget the same outcomes.
const maxKept = 8 << 20

// begin appends the head of an outcome. The caller appends the body and calls end.
func (o *outcomes) begin(lsn uint64, s sort, number uint64) (start int) {
	start = len(o.buf)
	if o.index != nil {
		o.note(s, number)
	}
	b := append(o.buf, 0, 0, 0, 0)
	b = append(binary.LittleEndian.AppendUint64(b, lsn), byte(s))
	o.buf = binary.AppendUvarint(b, number)
	return start
}

// note adds the next outcome to the index. An index that has grown while no client repeats calls is dropped.
func (o *outcomes) note(s sort, number uint64) {
	if len(o.index) > 2*o.n+1024 {
		o.index = nil
	} else if s != isTakeMore {
		o.index[number] = o.base + uint64(len(o.buf))
	}
}

// end completes the outcome that begins at start.
func (o *outcomes) end(start int) {
	binary.LittleEndian.PutUint32(o.buf[start:], uint32(len(o.buf)-start))
	o.n++
}

// at returns the outcome at a position; false at the end.
func (o *outcomes) at(pos uint64) (outcome, bool) {
	b := o.buf[pos-o.base:]
	if len(b) == 0 {
		return outcome{}, false
	}
	size := binary.LittleEndian.Uint32(b)
	number, w := binary.Uvarint(b[outcomeHead+1:])
	return outcome{
		sort: sort(b[outcomeHead]), lsn: binary.LittleEndian.Uint64(b[sizeLen:]), number: number,
		body: b[outcomeHead+1+w : size : size], next: pos + uint64(size),
	}, true
}

// first returns the position of the oldest outcome.
func (o *outcomes) first() uint64 { return o.base + uint64(o.from) }

// until returns the number of outcomes up to a change.
func (o *outcomes) until(lsn uint64) (n int) {
	for x, ok := o.at(o.first()); ok && x.lsn <= lsn; x, ok = o.at(x.next) {
		n++
	}
	return n
}

// find returns the outcome of a call, or its first part that is kept. The first search builds an index: after a lost
// connection a client may ask for thousands of outcomes.
func (o *outcomes) find(number uint64) (outcome, bool) {
	if o.index == nil {
		o.index = make(map[uint64]uint64, o.n)
		pos := o.first()
		for x, ok := o.at(pos); ok; x, ok = o.at(pos) {
			if _, known := o.index[x.number]; !known {
				o.index[x.number] = pos
			}
			pos = x.next
		}
	}
	pos, ok := o.index[number]
	if !ok || pos < o.first() {
		return outcome{}, false
	}
	return o.at(pos)
}

// drop removes the oldest n outcomes.
func (o *outcomes) drop(n int) {
	for range n {
		o.from += int(binary.LittleEndian.Uint32(o.buf[o.from:]))
	}
	o.n -= n
	o.trim()
}

// trim frees unused memory, once there is enough of it.
func (o *outcomes) trim() {
	if o.n == 0 {
		o.index = nil
		if o.base += uint64(o.from); cap(o.buf) > keptRoom || o.lent {
			o.buf, o.lent = nil, false
		}
		o.buf, o.from = o.buf[:0], 0
		return
	}
	if o.from > len(o.buf)/2 {
		o.base += uint64(o.from)
		to := o.buf[:0]
		if o.lent {
			to, o.lent = nil, false
		}
		o.buf, o.from = append(to, o.buf[o.from:]...), 0
	}
}

// lend returns the outcomes as they are now. They stay so whatever becomes of o.
func (o *outcomes) lend() outcomes {
	o.lent = o.n > 0
	return outcomes{buf: o.buf[o.from:len(o.buf):len(o.buf)]}
}

// keptRoom is the memory that a session without outcomes keeps for the next.
const keptRoom = 64 << 10

// keep adds an outcome with a body.
func (s *session) keep(lsn uint64, what sort, number uint64, body []byte) {
	start := s.kept.begin(lsn, what, number)
	s.kept.buf = append(s.kept.buf, body...)
	s.end(start)
}

func (s *session) wrote(lsn, number, first, count uint64, leases []byte) {
	start := s.kept.begin(lsn, isWrite, number)
	b := binary.AppendUvarint(binary.AppendUvarint(s.kept.buf, first), count)
	s.kept.buf = append(b, leases...)
	s.end(start)
}

func (s *session) took(lsn, number uint64, v call.View, more bool) {
	what := isTake
	if more {
		what = isTakeMore
	}
	start := s.kept.begin(lsn, what, number)
	b := binary.AppendUvarint(binary.AppendUvarint(s.kept.buf, v.ID), uint64(v.Kind))
	b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(v.Version)), uint64(v.Attempts))
	s.kept.buf = append(b, v.Row...)
	s.end(start)
}

// end completes an outcome, and removes the oldest beyond maxKept.
func (s *session) end(start int) {
	o := &s.kept
	o.end(start)
	for len(o.buf)-o.from > maxKept && o.n > 1 {
		oldest, _ := o.at(o.first())
		s.lost = max(s.lost, oldest.number)
		o.drop(1)
	}
	s.weigh(sessionBytes + int64(cap(o.buf)))
}

// received removes the oldest n outcomes, whose calls the client does not repeat any more.
func (s *session) received(n int) {
	s.kept.index = nil
	s.kept.drop(n)
	s.weigh(sessionBytes + int64(cap(s.kept.buf)))
}

// view returns the entry in the body of an outcome.
func (x *outcome) view() call.View {
	d := bodyDecoder{x.body}
	v := call.View{ID: d.uvarint(), Kind: call.KindID(d.uvarint())}
	v.Version, v.Attempts = uint32(d.uvarint()), uint32(d.uvarint())
	v.Row = d.b
	return v
}

// appendGrants appends the grants in the body of a write.
func (x *outcome) appendGrants(grants []call.Grant) []call.Grant {
	d := bodyDecoder{x.body}
	first, count := d.uvarint(), d.uvarint()
	lease := int64(call.Forever)
	each := len(d.b) > 0
	for i := range count {
		if each {
			lease = d.lease()
			each = len(d.b) > 0 // a single lease applies to all
		}
		grants = append(grants, call.Grant{ID: first + i, Granted: lease})
	}
	return grants
}

// appendLeases appends the leases of grants: nothing if all are forever, one if all are equal.
func appendLeases(dst []byte, grants []call.Grant) []byte {
	alike := true
	for i := range grants {
		alike = alike && grants[i].Granted == grants[0].Granted
	}
	if alike {
		if grants[0].Granted == call.Forever {
			return dst
		}
		grants = grants[:1]
	}
	for i := range grants {
		dst = appendLease(dst, grants[i].Granted)
	}
	return dst
}

func appendLease(dst []byte, lease int64) []byte {
	if lease == call.Forever {
		return append(dst, 0)
	}
	return binary.AppendUvarint(dst, uint64(lease)+1)
}

// Fields of an outcome that is neither a write nor a take. The numbers are part of the log format: append only.
const (
	fieldGrants  = 1
	fieldFailed  = 2
	fieldSeq     = 3
	fieldVersion = 4
)

// appendOutcome encodes Grants, Errs, Seq and Version of r.
func appendOutcome(dst []byte, r *call.Result) []byte {
	if len(r.Grants) > 0 {
		dst = binary.AppendUvarint(append(dst, fieldGrants), uint64(len(r.Grants)))
		for _, g := range r.Grants {
			dst = appendLease(binary.AppendUvarint(dst, g.ID), g.Granted)
		}
	}
	if len(r.Errs) > 0 {
		dst = binary.AppendUvarint(append(dst, fieldFailed), uint64(len(r.Errs)))
		for _, err := range r.Errs {
			failed := byte(0)
			if err != nil {
				failed = 1
			}
			dst = append(dst, failed)
		}
	}
	if r.Seq > 0 {
		dst = binary.AppendUvarint(append(dst, fieldSeq), r.Seq)
	}
	if r.Version > 0 {
		dst = binary.AppendUvarint(append(dst, fieldVersion), uint64(r.Version))
	}
	return dst
}

// decodeOutcome is the inverse of appendOutcome; Grants and Errs of r use the engine's memory.
func (e *Engine) decodeOutcome(body []byte, r *call.Result) {
	d := bodyDecoder{body}
	for len(d.b) > 0 {
		switch d.uvarint() {
		case fieldGrants:
			for n := d.count(); n > 0; n-- {
				e.grants = append(e.grants, call.Grant{ID: d.uvarint(), Granted: d.lease()})
			}
			r.Grants = e.grants
		case fieldFailed:
			for n := d.count(); n > 0; n-- {
				var err error
				if d.uvarint() != 0 {
					err = call.ErrLeaseEnded
				}
				e.errs = append(e.errs, err)
			}
			r.Errs = e.errs
		case fieldSeq:
			r.Seq = d.uvarint()
		case fieldVersion:
			r.Version = uint32(d.uvarint())
		}
	}
}

// bodyDecoder takes numbers off the front of b; missing ones are zero.
type bodyDecoder struct{ b []byte }

func (d *bodyDecoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.b = nil
		return 0
	}
	d.b = d.b[n:]
	return v
}

// count returns how many values, of at least one byte each, follow.
func (d *bodyDecoder) count() uint64 { return min(d.uvarint(), uint64(len(d.b))) }

func (d *bodyDecoder) lease() int64 {
	v := d.uvarint()
	if v == 0 {
		return call.Forever
	}
	return int64(v - 1)
}
