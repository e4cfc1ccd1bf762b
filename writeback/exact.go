package writeback

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"math"
	"time"
	"unicode/utf8"

	"github.com/gospaces/gospaces/template"
)

// appendExact appends exactColumn: a row of the fields that the other columns do not hold exactly, or null if there are
// none.
func (t *table) appendExact(dst []byte, row template.Row) []byte {
	some, nulls := false, 0
	for i, v := range row.Fields() {
		if i >= len(t.schema.Fields) {
			break
		}
		if lost := i < maxColumns && loses(v) || i >= maxColumns && losesInJSON(v); !lost {
			nulls++
			continue
		}
		if !some {
			dst, some = append(dst, `\\x`...), true
		}
		for ; nulls > 0; nulls-- {
			dst = append(dst, "00"...)
		}
		var size [binary.MaxVarintLen64]byte
		dst = hex.AppendEncode(dst, binary.AppendUvarint(size[:0], uint64(len(v))))
		dst = hex.AppendEncode(dst, v)
	}
	if !some {
		return append(dst, null...)
	}
	return dst
}

// loses reports whether a column of its own may not hold v exactly.
func loses(v template.Value) bool {
	switch v.Class() {
	case template.String:
		return !whole(v[1:])
	case template.Time:
		at, _ := v.Time()
		return at.Nanosecond()%1000 != 0 || at.Unix() < firstSecond || at.Unix() >= endSecond
	case template.List, template.Map:
		return losesInJSON(v)
	}
	return false
}

// losesInJSON reports whether a jsonb may not hold v exactly. Values in a list or map have no class, so a jsonb
// distinguishes only bools, integers, fractions and texts; as keys only texts.
func losesInJSON(v template.Value) bool {
	switch v.Class() {
	case 0, template.Bool, template.Int:
		return false
	case template.Float:
		f, _ := v.Float()
		return f == math.Trunc(f) || math.IsNaN(f) // infinities count as whole
	case template.String:
		return !whole(v[1:])
	case template.List:
		for elem := range v.Elements() {
			if losesInJSON(elem) {
				return true
			}
		}
		return false
	case template.Map:
		for key, val := range v.Pairs() {
			if key.Class() != template.String || losesInJSON(key) || losesInJSON(val) {
				return true
			}
		}
		return false
	}
	return true
}

// whole reports whether clean would return s itself.
func whole(s []byte) bool { return utf8.Valid(s) && bytes.IndexByte(s, 0) < 0 }

// microseconds returns t as a timestamptz holds it: in microseconds since the beginning of 2000, or an infinity.
func microseconds(t time.Time) int64 {
	switch sec := t.Unix(); {
	case sec < firstSecond:
		return math.MinInt64
	case sec >= endSecond:
		return math.MaxInt64
	default:
		return (sec-epochSecond)*1e6 + int64(t.Nanosecond()/1000)
	}
}

// instant is the inverse of microseconds; false for an infinity.
func instant(micros int64) (time.Time, bool) {
	if micros == math.MinInt64 || micros == math.MaxInt64 {
		return time.Time{}, false
	}
	return time.UnixMicro(micros).Add(epochSecond * time.Second).UTC(), true
}

// epochSecond is the beginning of 2000, PostgreSQL's epoch, in seconds since the Unix epoch.
const epochSecond = 946684800
