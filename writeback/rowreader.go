package writeback

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/gospaces/gospaces/template"
)

// selectRows returns the statement that reads the rows of entries in the space: for each the columns of rowReader in
// the binary form of a composite value. That is exact, avoids formatting and parsing text, and is one value a row to
// the driver.
func (t *table) selectRows() string {
	var names []string
	for _, c := range t.columns() {
		switch c.name {
		case leftColumn, howColumn, stateColumn, holderColumn, triesColumn: // not needed to load a space
		default:
			names = append(names, quote(c.name))
		}
	}
	return `SELECT record_send(ROW(` + strings.Join(names, ", ") + `)) FROM ` + t.sql() + t.living()
}

// living is the condition for rows whose entries are in the partition.
func (t *table) living() string {
	if t.mode == Append {
		return ` WHERE ` + t.own + ` AND ` + quote(leftColumn) + ` IS NULL`
	}
	return ` WHERE ` + t.own
}

// rowReader turns rows of a table back into entries, as the inverse of appendLine. Its result is valid until the next
// call.
type rowReader struct {
	t     *table
	in    []byte // remaining columns
	row   []byte
	exact []template.Value // from exactColumn, by field

	text, have, made []byte // scratch
}

// errRow means that a column has an invalid value.
var errRow = errors.New("it does not fit the schema")

// read decodes a row of selectRows. Its error names the column.
func (r *rowReader) read(composite []byte) (p put, err error) {
	if len(composite) < 4 {
		return p, errRow
	}
	r.in, r.row = composite[4:], r.row[:0]
	id, _ := r.next()
	key, ok := fixed(id)
	if !ok || key <= 0 {
		return p, fmt.Errorf("%w: column %s is no identity of an entry", errRow, quote(entryColumn))
	}
	p = put{entry: uint64(key), kind: r.t.kind}
	if p.expires, err = r.time(expiresColumn, math.MaxInt64); err != nil {
		return p, err
	}
	if p.visible, err = r.time(visibleColumn, 0); err != nil {
		return p, err
	}
	columns, more := r.in, []byte(nil)
	for range r.t.fields {
		r.next()
	}
	if r.t.hasMore() {
		more, _ = r.next()
	}
	r.readExact()
	r.in = columns
	if err := r.readFields(more); err != nil {
		return p, err
	}
	p.row = r.row
	return p, p.row.Check(r.t.schema)
}

// next returns the next column; false if it is null, or missing.
func (r *rowReader) next() ([]byte, bool) {
	if len(r.in) < 8 {
		return nil, false
	}
	n := int32(binary.BigEndian.Uint32(r.in[4:])) // after the type
	r.in = r.in[8:]
	if n < 0 || int(n) > len(r.in) {
		return nil, false
	}
	column := r.in[:n]
	r.in = r.in[n:]
	return column, true
}

// fixed decodes a bigint, or a type with the same binary form.
func fixed(column []byte) (int64, bool) {
	if len(column) != 8 {
		return 0, false
	}
	return int64(binary.BigEndian.Uint64(column)), true
}

// time decodes a time, of which a column has the microsecond: it returns the end of that microsecond, so that no lease
// ends early. null is the result for null.
func (r *rowReader) time(name string, null int64) (int64, error) {
	column, ok := r.next()
	if !ok {
		return null, nil
	}
	micros, ok := fixed(column)
	if !ok {
		return 0, fmt.Errorf("%w: column %s is no time", errRow, quote(name))
	}
	at, finite := instant(micros)
	switch {
	case !finite && micros > 0, at.Year() > 2261: // beyond an int64 of nanoseconds
		return math.MaxInt64, nil
	case !finite, at.Year() < 1678:
		return 1, nil
	}
	return at.UnixNano() + 999, nil
}

// readExact decodes exactColumn.
func (r *rowReader) readExact() {
	clear(r.exact)
	r.exact = r.exact[:0]
	column, ok := r.next()
	if !ok {
		return
	}
	for _, v := range template.Row(column).Fields() {
		r.exact = append(r.exact, v)
	}
}

// readFields appends the fields to row. more is the content of moreColumn.
func (r *rowReader) readFields(more []byte) error {
	end := 0
	for i, name := range r.t.fields {
		at := len(r.row)
		r.row = append(r.row, 0)
		if column, ok := r.next(); ok {
			if err := r.appendField(i, column); err != nil {
				return fmt.Errorf("column %s: %w", quote(name), err)
			}
		}
		if len(r.row) > at+1 {
			r.row = template.EndSized(r.row, at)
			end = len(r.row)
		}
	}
	if len(more) > 1 {
		var err error
		if end, err = r.readMore(more[1:], end); err != nil {
			return fmt.Errorf("column %s: %w", quote(moreColumn), err)
		}
	}
	r.row = r.row[:end]
	return nil
}

// appendField appends the value of field i, whose column is not null: the exact value, unless the column was changed
// since.
func (r *rowReader) appendField(i int, column []byte) error {
	class := r.t.schema.Fields[i].Class
	if i < len(r.exact) && r.exact[i] != nil && r.same(class, r.exact[i], column) {
		r.row = append(r.row, r.exact[i]...)
		return nil
	}
	return r.appendColumn(class, column)
}

// same reports whether a column of a class is what appendLine wrote for v.
func (r *rowReader) same(class template.Class, v template.Value, column []byte) bool {
	if !v.Class().SameFamily(class) {
		return false
	}
	switch class {
	case template.String:
		return bytes.Equal(clean(v[1:]), column)
	case template.Time:
		at, _ := v.Time()
		micros, ok := fixed(column)
		return ok && microseconds(at) == micros
	case template.List, template.Map, template.Struct:
		return len(column) > 0 && r.sameJSON(v, column[1:])
	}
	return false
}

// sameJSON reports whether a jsonb is what appendJSON wrote for v.
func (r *rowReader) sameJSON(v template.Value, text []byte) bool {
	have, err := template.AppendPlainJSON(r.have[:0], text)
	r.have = have
	return err == nil && bytes.Equal(have, r.plain(v))
}

// plain returns what a jsonb keeps of v; nil if it cannot hold v.
func (r *rowReader) plain(v template.Value) template.Value {
	r.text = appendJSON(r.text[:0], v)
	text := bytes.ReplaceAll(r.text, []byte(`\\`), []byte(`\`)) // as COPY reads it
	made, err := template.AppendPlainJSON(r.made[:0], text)
	r.made = made
	if err != nil {
		return nil
	}
	return made
}

// appendColumn appends the value of a column of a class, which is not null.
func (r *rowReader) appendColumn(class template.Class, column []byte) error {
	ok := true
	switch class {
	case template.Bool:
		ok = len(column) == 1
		r.row = template.AppendBool(r.row, ok && column[0] != 0)
	case template.Int:
		var i int64
		i, ok = fixed(column)
		r.row = template.AppendInt(r.row, i)
	case template.Uint:
		r.row, ok = appendNumeric(r.row, column)
	case template.Float:
		var bits int64
		bits, ok = fixed(column)
		r.row = template.AppendFloat(r.row, math.Float64frombits(uint64(bits)))
	case template.String:
		r.row = append(template.AppendString(r.row, ""), column...)
	case template.Bytes:
		r.row = template.AppendBytes(r.row, column)
	case template.Time:
		ok = r.appendTime(column)
	case template.Duration:
		var nanos int64
		nanos, ok = fixed(column)
		r.row = template.AppendDuration(r.row, time.Duration(nanos))
	default:
		return r.appendJSON(class, column)
	}
	if !ok {
		return errRow
	}
	return nil
}

func (r *rowReader) appendTime(column []byte) bool {
	micros, ok := fixed(column)
	at, finite := instant(micros)
	if !ok || !finite {
		return false
	}
	r.row = template.AppendTime(r.row, at)
	return true
}

// appendJSON appends a list or a map. JSON null is null.
func (r *rowReader) appendJSON(class template.Class, column []byte) error {
	if len(column) < 2 {
		return errRow
	}
	at := len(r.row)
	var err error
	if r.row, err = template.AppendPlainJSON(r.row, column[1:]); err != nil { // after the version of its format
		return err
	}
	if v := template.Value(r.row[at:]); v != nil && !v.Class().SameFamily(class) {
		return fmt.Errorf("%w: %s instead of %s", errRow, v.Class(), class)
	}
	return nil
}

// appendNumeric appends the integer value of a numeric, which is sent as digits of base 10000; false if it is not an
// integer.
func appendNumeric(dst, column []byte) ([]byte, bool) {
	if len(column) < 8 {
		return dst, false
	}
	digits, weight := int(binary.BigEndian.Uint16(column)), int(int16(binary.BigEndian.Uint16(column[2:])))
	sign := binary.BigEndian.Uint16(column[4:])
	if digits > weight+1 || weight > 4 || len(column) != 8+2*digits || sign != 0 && sign != 0x4000 {
		return dst, false
	}
	m, overflow := uint64(0), false
	for i := range weight + 1 {
		d := uint64(0)
		if i < digits {
			d = uint64(binary.BigEndian.Uint16(column[8+2*i:]))
		}
		overflow = overflow || m > (math.MaxUint64-d)/10000
		m = m*10000 + d
	}
	switch {
	case overflow || sign != 0 && m > 1<<63:
		return dst, false
	case sign != 0:
		return template.AppendInt(dst, -int64(m)), true
	}
	return template.AppendUint(dst, m), true
}
