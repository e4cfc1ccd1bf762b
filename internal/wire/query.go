package wire

import (
	"encoding/binary"
	"math"
	"slices"
	"time"
	"unsafe"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/template"
)

// Flags of a Find.
const (
	flagTake     = 1 << 0
	flagIfExists = 1 << 1
	flagWait     = 1 << 2 // wait until the call is cancelled
	flagWaitFor  = 1 << 3 // wait for the duration that follows
	flagBegin    = 1 << 4 // take each entry under its own transaction, with the lease that follows
	flagID       = 1 << 5 // only the entry with the identity that follows
	flagClaim    = 1 << 6 // a read that finds only entries that its transaction may take
	flagHeld     = 1 << 7 // a read of held entries

	flagHidden = 1 << 8 // a read that also counts matches locked by others

	flagReserve = 1 << 9 // reserve the entry instead of taking it

	flagsKnown = flagTake | flagIfExists | flagWait | flagWaitFor | flagBegin | flagID | flagClaim | flagHeld |
		flagHidden | flagReserve
)

// WaitForever is the wait of a Find that lasts until it is cancelled.
const WaitForever time.Duration = -1

// AppendFind appends the parameters of a Find, which precede its query: the fields of q except those of the query. wait
// may be 0 or WaitForever.
func AppendFind(dst []byte, q *call.Query, wait time.Duration) []byte {
	var flags uint64
	if q.Take {
		flags |= flagTake
	}
	if q.IfExists {
		flags |= flagIfExists
	}
	switch {
	case wait < 0:
		flags |= flagWait
	case wait > 0:
		flags |= flagWaitFor
	}
	if q.Begin {
		flags |= flagBegin
	}
	if q.ID != 0 {
		flags |= flagID
	}
	if q.Claim {
		flags |= flagClaim
	}
	if q.Held {
		flags |= flagHeld
	}
	if q.Hidden {
		flags |= flagHidden
	}
	if q.Reserve {
		flags |= flagReserve
	}
	dst = binary.AppendUvarint(dst, flags)
	if wait > 0 {
		dst = binary.AppendUvarint(dst, uint64(wait))
	}
	if q.Begin {
		dst = AppendLease(dst, q.Lease)
	}
	if q.ID != 0 {
		dst = binary.AppendUvarint(dst, q.ID)
	}
	return binary.AppendUvarint(dst, uint64(q.Max))
}

// AppendSelection appends the parameters of a Count or a Contents, which precede its query: the identity of the one
// entry, if not 0, and whether only held entries count.
func AppendSelection(dst []byte, id uint64, held bool) []byte {
	var flags byte
	if id != 0 {
		flags |= flagID
	}
	if held {
		flags |= flagHeld
	}
	if dst = append(dst, flags); id != 0 {
		dst = binary.AppendUvarint(dst, id)
	}
	return dst
}

// Selection decodes parameters of AppendSelection.
func (d *Decoder) Selection() (id uint64, held bool) {
	flags := d.Byte()
	if flags&^(flagID|flagHeld) != 0 {
		d.fail()
	}
	if flags&flagID != 0 {
		id = d.Uvarint()
	}
	return id, flags&flagHeld != 0
}

// AppendTemplate appends a template whose kind is given by number. A query consists of the transaction of the call, the
// number of its templates, the templates, and the ordering as appended by template.AppendOrder.
func AppendTemplate(dst []byte, kind call.KindID, conds []template.Cond) []byte {
	return template.AppendConds(binary.AppendUvarint(dst, uint64(kind)), conds)
}

// named replaces a kind's number: the name of the kind follows, and the fields that conditions and ordering refer to.
const named = math.MaxUint32

// AppendNamed appends a template that names its kind, because its number, or fields of the template, are not known.
func AppendNamed(dst []byte, t *template.Template) []byte {
	dst = AppendBytes(binary.AppendUvarint(dst, named), t.Kind)
	return template.AppendConds(template.AppendFields(dst, t.Fields), t.Conds)
}

// Query is a call.Query decoded from a body, with all the memory that it refers to, for reuse.
type Query struct {
	call.Query
	bytes  []byte
	conds  []template.Cond
	values []template.Value
	fields int // of named templates
	strewn int // bytes beside the slices: old memory of these, and named templates
}

// Sizes of parts of a query.
const (
	condSize     = int(unsafe.Sizeof(template.Cond{}))
	valueSize    = int(unsafe.Sizeof(template.Value{}))
	templateSize = int(unsafe.Sizeof(call.Template{}))
	namedSize    = int(unsafe.Sizeof(call.Named{}))
	fieldSize    = int(unsafe.Sizeof(template.Field{})) + 16 // with its name
)

// Size returns the approximate memory of q.
func (q *Query) Size() int {
	return cap(q.bytes) + cap(q.conds)*condSize + cap(q.values)*valueSize + cap(q.Templates)*templateSize + q.strewn
}

// DecodeFind decodes the parameters and the query of a Find, and returns the wait.
func (q *Query) DecodeFind(d *Decoder) time.Duration {
	flags := d.Uvarint()
	if flags&^flagsKnown != 0 {
		d.fail()
	}
	var wait time.Duration
	switch {
	case flags&flagWait != 0:
		wait = WaitForever
	case flags&flagWaitFor != 0:
		wait = d.Duration()
	}
	var lease int64
	if flags&flagBegin != 0 {
		lease = d.Lease()
	}
	var id uint64
	if flags&flagID != 0 {
		id = d.Uvarint()
	}
	limit := d.Uvarint()
	q.Decode(d)
	q.Claim, q.Held, q.Hidden = flags&flagClaim != 0, flags&flagHeld != 0, flags&flagHidden != 0
	q.Take, q.IfExists, q.Begin = flags&flagTake != 0, flags&flagIfExists != 0, flags&flagBegin != 0
	q.Reserve = flags&flagReserve != 0
	q.Lease, q.ID = lease, id
	q.Max = int(min(limit, MaxFind))
	return wait
}

// Decode decodes a query, including its transaction. The engine validates it. q does not refer to the body, and must
// not be in use.
func (q *Query) Decode(d *Decoder) {
	q.bytes = append(q.bytes[:0], d.b...)
	d.b = q.bytes
	q.conds, q.values, q.fields, q.strewn = q.conds[:0], q.values[:0], 0, 0
	q.Query = call.Query{Templates: q.Templates[:0], Order: q.Order[:0], Txn: d.Txn()}
	for n := d.Len(MaxTemplates); n > 0 && !d.bad; n-- {
		q.Templates = append(q.Templates, q.decodeTemplate(d))
	}
	for n := d.Len(template.MaxOrder); n > 0 && !d.bad; n-- {
		key := d.Len(math.MaxInt32)
		q.Order = append(q.Order, template.Order{Field: key >> 1, Desc: key&1 == 1})
	}
	for i := range q.Templates {
		if n := q.Templates[i].Named; n != nil {
			n.Order = slices.Clone(q.Order)
		}
	}
}

func (q *Query) decodeTemplate(d *Decoder) call.Template {
	kind := d.Uint32()
	if kind != named {
		return call.Template{Kind: kind, Conds: q.decodeConds(d)}
	}
	n := &call.Named{}
	n.Kind = string(d.Bytes())
	n.Fields = q.decodeFields(d)
	n.Conds = q.decodeConds(d)
	q.strewn += namedSize + len(n.Kind) + len(n.Fields)*fieldSize
	return call.Template{Named: n}
}

// decodeFields decodes the fields of a named template. The fields of all templates of a query are limited together,
// like conditions.
func (q *Query) decodeFields(d *Decoder) []template.Field {
	fields, rest, err := template.DecodeFields(d.b, min(template.MaxFields, MaxFields-q.fields))
	if err != nil {
		d.fail()
		return nil
	}
	q.fields += len(fields)
	d.b = rest
	return fields
}

// decodeConds decodes conditions of template.AppendConds. When an append moves conds or values, those of earlier
// templates stay valid in the old memory.
func (q *Query) decodeConds(d *Decoder) []template.Cond {
	start := len(q.conds)
	for n := d.Len(MaxConds - start); n > 0 && !d.bad; n-- {
		c := template.Cond{Field: d.Len(template.MaxFields), Op: template.Op(d.Byte())}
		switch c.Op {
		case template.In:
			c.Values = q.decodeValues(d)
		case template.IsNull, template.NotNull:
		case template.Eq, template.Ne, template.Lt, template.Le, template.Gt, template.Ge, template.Prefix:
			c.Value = d.Bytes()
		default:
			d.fail()
		}
		if len(q.conds) == cap(q.conds) {
			q.strewn += cap(q.conds) * condSize
		}
		q.conds = append(q.conds, c)
	}
	return q.conds[start:len(q.conds):len(q.conds)]
}

func (q *Query) decodeValues(d *Decoder) []template.Value {
	start := len(q.values)
	for n := d.Len(MaxValues - start); n > 0 && !d.bad; n-- {
		if len(q.values) == cap(q.values) {
			q.strewn += cap(q.values) * valueSize
		}
		q.values = append(q.values, d.Bytes())
	}
	return q.values[start:len(q.values):len(q.values)]
}
