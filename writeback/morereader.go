package writeback

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math"
	"time"

	"github.com/gospaces/gospaces/template"
)

// readMore appends the fields in moreColumn, and returns the end of the last field that is not null; end is the end
// before.
func (r *rowReader) readMore(text []byte, end int) (int, error) {
	members, err := template.AppendPlainJSON(nil, text)
	if err != nil {
		return end, err
	}
	named := make(map[string]template.Value)
	for key, v := range template.Value(members).Pairs() {
		name, _ := key.Text()
		named[name] = v
	}
	for i := maxColumns; i < len(r.t.schema.Fields); i++ {
		f := r.t.schema.Fields[i]
		at := len(r.row)
		r.row = append(r.row, 0)
		if v := named[clearText(f.Name)]; v != nil {
			if err := r.appendMember(i, v); err != nil {
				return end, fmt.Errorf("field %q: %w", f.Name, err)
			}
			r.row = template.EndSized(r.row, at)
			end = len(r.row)
		}
	}
	return end, nil
}

// appendMember appends the value of field i, of which v is left in moreColumn: the exact value, unless the column was
// changed since.
func (r *rowReader) appendMember(i int, v template.Value) error {
	if i < len(r.exact) && r.exact[i] != nil && bytes.Equal(v, r.plain(r.exact[i])) {
		r.row = append(r.row, r.exact[i]...)
		return nil
	}
	var ok bool
	if r.row, ok = appendAs(r.row, r.t.schema.Fields[i].Class, v); !ok {
		return fmt.Errorf("%w: %s instead of %s", errRow, v.Class(), r.t.schema.Fields[i].Class)
	}
	return nil
}

// appendAs appends v, which comes from a jsonb, as a value of a class; false if it is not one.
func appendAs(dst []byte, class template.Class, v template.Value) ([]byte, bool) {
	if v.Class().SameFamily(class) {
		return append(dst, v...), true
	}
	if i, ok := v.Int(); ok {
		switch class {
		case template.Float:
			return template.AppendFloat(dst, float64(i)), true
		case template.Duration:
			return template.AppendDuration(dst, time.Duration(i)), true
		}
	}
	text, _ := v.Text()
	switch class {
	case template.Float:
		f, ok := map[string]float64{"NaN": math.NaN(), "Infinity": math.Inf(1), "-Infinity": math.Inf(-1)}[text]
		return template.AppendFloat(dst, f), ok
	case template.Bytes:
		b, err := base64.StdEncoding.DecodeString(text)
		return template.AppendBytes(dst, b), err == nil && v.Class() == template.String
	case template.Time:
		at, err := time.Parse(time.RFC3339Nano, text)
		return template.AppendTime(dst, at), err == nil
	}
	return dst, false
}
