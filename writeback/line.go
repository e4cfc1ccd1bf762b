package writeback

import (
	"bytes"
	"encoding/hex"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/template"
)

// replacement replaces what PostgreSQL cannot hold in a text: NUL, and bytes that are not UTF-8.
const replacement = "\uFFFD"

// null is COPY's null.
const null = `\N`

// appendLine appends p as a line of the text format of COPY, for copyStatement.
func (t *table) appendLine(dst []byte, p *put) []byte {
	dst = strconv.AppendInt(dst, entryKey(p.entry), 10)
	dst = appendExpires(append(dst, '\t'), p.expires)
	dst = appendVisible(append(dst, '\t'), p.visible)
	dst = append(appendStatus(append(dst, '\t'), p.state, p.holder), '\t')
	dst = strconv.AppendUint(dst, uint64(p.attempts), 10)
	if t.mode == Append {
		dst = appendDeparture(append(dst, '\t'), p.left)
	}
	n := 0
	for i, v := range p.row.Fields() {
		if i == len(t.fields) {
			break
		}
		dst = appendValue(append(dst, '\t'), t.schema.Fields[i].Class, v)
		n++
	}
	for ; n < len(t.fields); n++ {
		dst = append(append(dst, '\t'), null...)
	}
	if t.hasMore() {
		dst = t.appendFields(append(dst, '\t'), p.row, maxColumns)
	}
	dst = t.appendExact(append(dst, '\t'), p.row)
	return append(dst, '\n')
}

// appendFields appends the fields from number first on as a JSON object, nulls left out.
func (t *table) appendFields(dst []byte, row template.Row, from int) []byte {
	dst = append(dst, '{')
	first := true
	for i, v := range row.Fields() {
		if i < from || i >= len(t.schema.Fields) || v == nil {
			continue
		}
		dst = appendJSONText(appendComma(dst, &first), []byte(t.schema.Fields[i].Name))
		dst = appendJSON(append(dst, ':'), v)
	}
	return append(dst, '}')
}

// appendBytes appends b as a bytea.
func appendBytes(dst, b []byte) []byte { return hex.AppendEncode(append(dst, `\\x`...), b) }

// entryKey returns the primary key of an entry. Every uint64 has its own key; those in use are positive.
func entryKey(entry uint64) int64 { return int64(entry) }

// appendExpires appends the expiry of an entry; null means never.
func appendExpires(dst []byte, expires int64) []byte {
	if expires == math.MaxInt64 {
		return append(dst, null...)
	}
	return appendTime(dst, time.Unix(0, expires).UTC())
}

// appendVisible appends the time at which an entry becomes visible; null means at once.
func appendVisible(dst []byte, visible int64) []byte {
	if visible == 0 {
		return append(dst, null...)
	}
	return appendTime(dst, time.Unix(0, visible).UTC())
}

// appendStatus appends the columns stateColumn and holderColumn.
func appendStatus(dst []byte, state string, holder []byte) []byte {
	if state == "" {
		return append(dst, null+"\t"+null...)
	}
	dst = append(append(dst, state...), '\t')
	if state != held {
		return append(dst, null...)
	}
	return appendText(dst, holder)
}

// appendDeparture appends the columns leftColumn and howColumn.
func appendDeparture(dst []byte, left departure) []byte {
	if left.how == 0 {
		return append(dst, null+"\t"+null...)
	}
	dst = append(appendTime(dst, time.Unix(0, left.at).UTC()), '\t')
	return append(dst, reasonName(left.how)...)
}

// unknownReason is the reason for an entry that left in an unknown way.
const unknownReason record.Reason = 255

// reasonName returns the text in howColumn for a reason.
func reasonName(how record.Reason) string {
	switch how {
	case record.Taken:
		return "taken"
	case record.Expired:
		return "expired"
	case record.Cancelled:
		return "cancelled"
	}
	return "unknown"
}

// appendValue appends v for a column of class c, escaped for COPY. Rows in the log have passed template.Row.Check, so v
// is of the family of c; otherwise the column would be null, so that the mirror does not get stuck.
func appendValue(dst []byte, c template.Class, v template.Value) []byte {
	class := v.Class()
	if class == 0 || !class.SameFamily(c) {
		return append(dst, null...)
	}
	switch class {
	case template.Bool:
		if yes, _ := v.Bool(); yes {
			return append(dst, 't')
		}
		return append(dst, 'f')
	case template.Int:
		return appendInteger(dst, v)
	case template.Float:
		f, _ := v.Float()
		return appendFloat(dst, f)
	case template.String:
		return appendText(dst, v[1:])
	case template.Bytes:
		return appendBytes(dst, v[1:])
	case template.Time:
		at, _ := v.Time()
		return appendTime(dst, at)
	case template.Duration:
		d, _ := v.Duration()
		return strconv.AppendInt(dst, int64(d), 10)
	}
	return appendJSON(dst, v)
}

// appendInteger appends an integer of any size.
func appendInteger(dst []byte, v template.Value) []byte {
	if i, ok := v.Int(); ok {
		return strconv.AppendInt(dst, i, 10)
	}
	u, _ := v.Uint()
	return strconv.AppendUint(dst, u, 10)
}

func appendFloat(dst []byte, f float64) []byte {
	switch {
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	}
	return strconv.AppendFloat(dst, f, 'g', -1, 64) // also for NaN
}

// appendText appends s, with what a text cannot hold replaced.
func appendText(dst, s []byte) []byte {
	s = clean(s)
	from := 0
	for i, c := range s {
		if c > '\r' && c != '\\' {
			continue
		}
		if e := copyEscapes[c&0x7f]; e != 0 {
			dst = append(append(dst, s[from:i]...), '\\', e)
			from = i + 1
		}
	}
	return append(dst, s[from:]...)
}

// copyEscapes has the character after the backslash for each byte that is special in COPY's text format.
var copyEscapes = [128]byte{'\b': 'b', '\f': 'f', '\n': 'n', '\r': 'r', '\t': 't', '\v': 'v', '\\': '\\'}

// clean returns s with every NUL, and every run of bytes that are not UTF-8, replaced; s itself if there is none.
func clean(s []byte) []byte {
	if !utf8.Valid(s) {
		s = bytes.ToValidUTF8(s, []byte(replacement))
	}
	if bytes.IndexByte(s, 0) >= 0 {
		s = bytes.ReplaceAll(s, []byte{0}, []byte(replacement))
	}
	return s
}
