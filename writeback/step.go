package writeback

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// step is one type of change to rows of one table.
type step struct {
	t     *table
	verb  verb
	rank  int
	items []*put

	patches map[uint64]patch // of the batch

	action    string                              // of the dead letters for refused rows
	types     []string                            // of the columns of line
	line      func(dst []byte, p *put) []byte     // appends an item in the text format of COPY
	statement func(source, columns string) string // does it for a source u of items with columns c0, c1, …
	// if not empty, does it for the columns $1, $2, … as arrays, which is faster
	bulk  string
	count func(done *effect, affected uint64) // of rows
}

// verb is the type of change. The steps of one batch are taken in the order of their verbs: rows leave before others
// come.
type verb uint8

const (
	remove verb = iota
	modify      // everything besides fields
	amend       // fields and expiry
	replace
	insert
)

// steps returns the steps of b in order: tables that refer to others come first when rows leave, and last when rows
// come.
// It returns an error that wraps errUndefined for an entry of an unknown kind.
func (c *change) steps(b *batch, gone, patched []uint64) (_ []*step, err error) {
	type key struct {
		verb verb
		kind uint32
	}
	steps := make(map[key]*step)
	add := func(v verb, p *put) {
		s := steps[key{v, p.kind}]
		if s == nil {
			t := c.db.tables[p.kind]
			switch {
			case t == nil:
				err = fmt.Errorf("entry %d is of kind %d: %w", p.entry, p.kind, errUndefined)
				return
			case t.name == "":
				return // a kind that was created and dropped
			}
			s = t.step(v)
			s.rank, s.patches = c.db.ranks[p.kind], b.patches
			steps[key{v, p.kind}] = s
		}
		s.items = append(s.items, p)
	}
	leaving, modified := make([]put, len(gone)), make([]put, len(patched))
	for i, entry := range gone {
		leaving[i] = put{entry: entry, kind: b.gone[entry].kind, left: b.gone[entry].departure}
		add(remove, &leaving[i])
	}
	for i, entry := range patched {
		modified[i] = put{entry: entry, kind: b.patches[entry].kind, expires: b.patches[entry].expires}
		add(modify, &modified[i])
	}
	for i := range b.puts {
		switch p := &b.puts[i]; {
		case p.dead:
		case p.amends:
			add(amend, p)
		case p.known:
			add(replace, p)
		default:
			add(insert, p)
		}
	}
	return slices.SortedFunc(maps.Values(steps), (*step).compare), err
}

func (s *step) compare(other *step) int {
	sign := 1
	if s.verb == remove {
		sign = -1
	}
	return cmp.Or(cmp.Compare(s.phase(), other.phase()), sign*cmp.Compare(s.rank, other.rank),
		cmp.Compare(s.t.kind, other.t.kind), cmp.Compare(s.verb, other.verb))
}

// phase is the verb; verbs that may write rows that others refer to share one.
func (s *step) phase() verb { return min(s.verb, amend) }

// step returns a step without items.
func (t *table) step(v verb) *step {
	s := &step{t: t, verb: v}
	switch {
	case v == remove && t.mode == Append:
		t.leaving(s)
	case v == remove:
		t.removing(s)
	case v == modify:
		t.patching(s)
	default:
		t.storing(s)
	}
	return s
}

func (t *table) removing(s *step) {
	s.action, s.types = removeAction, []string{"bigint"}
	s.line = func(dst []byte, p *put) []byte { return strconv.AppendInt(dst, entryKey(p.entry), 10) }
	s.statement = func(source, _ string) string {
		return "DELETE FROM " + t.sql() + " AS t USING " + source + " WHERE t." + quote(entryColumn) + " = u.c0"
	}
	s.bulk = "DELETE FROM " + t.sql() + " WHERE " + quote(entryColumn) + " = ANY ($1::bigint[])" // never with a join
	s.count = func(done *effect, n uint64) { done.deleted += n }
}

// leaving marks rows of an archive as left.
func (t *table) leaving(s *step) {
	s.action, s.types = removeAction, []string{"bigint", timestamp, "text"}
	s.line = func(dst []byte, p *put) []byte {
		return appendDeparture(append(strconv.AppendInt(dst, entryKey(p.entry), 10), '\t'), p.left)
	}
	s.statement = t.updating(leftColumn, howColumn)
	s.count = func(*effect, uint64) {}
}

// patching changes everything besides fields.
func (t *table) patching(s *step) {
	s.action, s.types = renewAction, []string{"bigint", "boolean", timestamp, timestamp, "text", "text", "bigint"}
	s.line = func(dst []byte, p *put) []byte { return s.patches[p.entry].append(dst, p.entry) }
	set := func(column, value string) string { return quote(column) + " = " + value }
	s.statement = t.update([]string{
		set(expiresColumn, "CASE WHEN u.c1 THEN u.c2 ELSE t."+quote(expiresColumn)+" END"),
		set(visibleColumn, "CASE WHEN u.c4 IS NULL THEN t."+quote(visibleColumn)+" ELSE u.c3 END"),
		set(stateColumn, "coalesce(u.c4, t."+quote(stateColumn)+")"),
		set(holderColumn, "CASE WHEN u.c4 IS NULL THEN t."+quote(holderColumn)+" ELSE u.c5 END"),
		set(triesColumn, "coalesce(u.c6, t."+quote(triesColumn)+")"),
	})
	s.count = func(done *effect, n uint64) { done.renewed += n }
}

// append appends a patch as a line of COPY.
func (c patch) append(dst []byte, entry uint64) []byte {
	dst = append(strconv.AppendInt(dst, entryKey(entry), 10), '\t')
	if c.renewed {
		dst = appendExpires(append(dst, "t\t"...), c.expires)
	} else {
		dst = append(dst, "f\t"+null...)
	}
	dst = appendVisible(append(dst, '\t'), c.visible)
	dst = append(appendStatus(append(dst, '\t'), c.state, c.holder), '\t')
	if c.counted {
		return strconv.AppendUint(dst, uint64(c.attempts), 10)
	}
	return append(dst, null...)
}

// updating returns the statement that sets columns to c1, c2, … where c0 is the entry.
func (t *table) updating(columns ...string) func(source, _ string) string {
	var sets []string
	for i, c := range columns {
		sets = append(sets, quote(c)+" = u.c"+strconv.Itoa(i+1))
	}
	return t.update(sets)
}

func (t *table) update(sets []string) func(source, _ string) string {
	return func(source, _ string) string {
		return "UPDATE " + t.sql() + " AS t SET " + strings.Join(sets, ", ") + " FROM " + source +
			" WHERE t." + quote(entryColumn) + " = u.c0"
	}
}

// storing adds rows. An existing row is updated in place: deleting it first would cascade over foreign keys, or be
// refused because of rows that refer to it.
func (t *table) storing(s *step) {
	var names, sets []string
	for _, c := range t.columns() {
		s.types = append(s.types, c.sqlType)
		names = append(names, quote(c.name))
		if s.verb != amend || !stays(c.name) {
			sets = append(sets, quote(c.name)+" = excluded."+quote(c.name))
		}
	}
	s.action = storeAction
	s.line = func(dst []byte, p *put) []byte {
		dst = t.appendLine(dst, p)
		return dst[:len(dst)-1] // without the line feed
	}
	s.statement = func(source, columns string) string {
		return "INSERT INTO " + t.sql() + " (" + strings.Join(names, ", ") + ") SELECT " + columns + " FROM " + source
	}
	if s.verb != insert {
		into := s.statement
		s.action = replaceAction
		s.statement = func(source, columns string) string {
			return into(source, columns) + " ON CONFLICT (" + quote(entryColumn) + ") DO UPDATE SET " +
				strings.Join(sets[1:], ", ")
		}
	}
	s.count = func(done *effect, n uint64) { done.written += n }
}

// stays reports whether a column is unchanged when the fields of an entry change.
func stays(column string) bool {
	switch column {
	case visibleColumn, stateColumn, holderColumn, triesColumn, leftColumn, howColumn:
		return true
	}
	return false
}

// do takes the step for all items at once, and returns the number of affected rows.
func (c *change) do(s *step, items []*put) (uint64, error) {
	if s.verb == insert {
		return uint64(len(items)), c.db.copyIn(s.t.copyStatement(), len(items), func(dst []byte, i int) []byte {
			return append(s.line(dst, items[i]), '\n')
		})
	}
	var args []any
	var arrays []string
	for i, literal := range s.arrays(items) {
		args = append(args, literal)
		arrays = append(arrays, "$"+strconv.Itoa(i+1)+"::"+s.types[i]+"[]")
	}
	bulk := s.bulk
	if bulk == "" {
		bulk = s.statement("unnest("+strings.Join(arrays, ", ")+") AS u ("+s.names("")+")", s.names("u."))
	}
	return affected(c.tx.Exec(bulk, args...))
}

// names returns the column names of a source, each with a prefix.
func (s *step) names(prefix string) string {
	var names []string
	for i := range s.types {
		names = append(names, prefix+"c"+strconv.Itoa(i))
	}
	return strings.Join(names, ", ")
}

// arrays returns the columns of items as literals of arrays.
func (s *step) arrays(items []*put) []string {
	columns := make([][]byte, len(s.types))
	var line []byte
	for n, p := range items {
		line = s.line(line[:0], p)
		i := 0
		for field := range bytes.SplitSeq(line, []byte{'\t'}) {
			if n > 0 {
				columns[i] = append(columns[i], ',')
			}
			columns[i] = appendElement(columns[i], field)
			i++
		}
	}
	literals := make([]string, len(columns))
	for i, c := range columns {
		literals[i] = "{" + string(c) + "}"
	}
	return literals
}

// appendElement appends a field of a line of COPY as an element of the literal of an array.
func appendElement(dst, field []byte) []byte {
	if string(field) == null {
		return append(dst, "NULL"...)
	}
	dst = append(dst, '"')
	for i := 0; i < len(field); i++ {
		switch c := field[i]; {
		case c == '"':
			dst = append(dst, '\\', '"')
		case c != '\\':
			dst = append(dst, c)
		default:
			i++
			dst = appendUnescaped(dst, field[i])
		}
	}
	return append(dst, '"')
}

// appendUnescaped appends the character that COPY reads from a backslash and c. A backslash is escaped alike in a line
// and in an array.
func appendUnescaped(dst []byte, c byte) []byte {
	if c == '\\' {
		return append(dst, '\\', '\\')
	}
	return append(dst, byte(bytes.IndexByte(copyEscapes[:], c)))
}
