package writeback

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lib/pq"

	"github.com/gospaces/gospaces/template"
)

// The columns that every table has, besides one for each field.
const (
	entryColumn   = "_id"
	expiresColumn = "_expires"
	moreColumn    = "_more" // fields beyond maxColumns, if there are any
)

// maxColumns is how many fields get a column of their own. PostgreSQL keeps what it cannot move out of a row, up to 24
// bytes a column, in a page of 8 KiB; with more columns than this there could be rows that do not fit.
const maxColumns = 300

// table is the table of one kind.
type table struct {
	kind    uint32
	name    string // quoted, with its schema
	schema  *template.Schema
	columns []string // quoted, one for each field that has one
}

// newTable returns the table of a kind. name is the quoted name.
func newTable(kind uint32, name string, schema *template.Schema) *table {
	t := &table{kind: kind, name: name, schema: schema}
	taken := columnNames()
	for _, f := range schema.Fields[:min(len(schema.Fields), maxColumns)] {
		t.columns = append(t.columns, quote(taken.pick(f.Name)))
	}
	return t
}

// hasMore reports whether some fields share a column.
func (t *table) hasMore() bool { return len(t.schema.Fields) > maxColumns }

// copyStatement returns the statement that takes the lines of appendLine.
func (t *table) copyStatement() string {
	columns := append([]string{quote(entryColumn), quote(expiresColumn)}, t.columns...)
	if t.hasMore() {
		columns = append(columns, quote(moreColumn))
	}
	return "COPY " + t.name + " (" + strings.Join(columns, ", ") + ") FROM STDIN"
}

// create returns the statements that make the table without the columns of fields.
func (t *table) create() []string {
	return []string{
		fmt.Sprintf("CREATE TABLE %s (%s bigint PRIMARY KEY, %s timestamptz)", t.name, quote(entryColumn), quote(expiresColumn)),
		fmt.Sprintf("COMMENT ON TABLE %s IS %s", t.name, literal("kind "+t.schema.Kind)),
	}
}

// alter returns the statements that turn the table as old has it into t: columns for new fields, and a wider type where
// a class has become wider. old may be nil, for the table that create makes.
func (t *table) alter(old *table) []string {
	have := 0
	if old != nil {
		have = len(old.columns)
	}
	var changes, comments []string
	for i, column := range t.columns {
		class := t.schema.Fields[i].Class
		switch {
		case i >= have:
			changes = append(changes, "ADD COLUMN "+column+" "+columnType(class))
			comments = append(comments, t.comment(i)...)
		case old.schema.Fields[i].Class != class:
			changes = append(changes, "ALTER COLUMN "+column+" TYPE "+columnType(class))
		}
	}
	if t.hasMore() && (old == nil || !old.hasMore()) {
		changes = append(changes, "ADD COLUMN "+quote(moreColumn)+" jsonb")
	}
	if len(changes) == 0 {
		return nil
	}
	return append([]string{"ALTER TABLE " + t.name + " " + strings.Join(changes, ", ")}, comments...)
}

// comment returns the statement that tells the field of a column whose name is another.
func (t *table) comment(i int) []string {
	name := t.schema.Fields[i].Name
	if quote(name) == t.columns[i] {
		return nil
	}
	return []string{fmt.Sprintf("COMMENT ON COLUMN %s.%s IS %s", t.name, t.columns[i], literal("field "+name))}
}

// literal returns text as SQL writes it, with what a text cannot have replaced.
func literal(text string) string {
	return pq.QuoteLiteral(strings.ReplaceAll(text, "\x00", replacement))
}

// columnType returns the type of the column of a field.
func columnType(c template.Class) string {
	switch c {
	case template.Bool:
		return "boolean"
	case template.Int, template.Duration:
		return "bigint"
	case template.Uint:
		return "numeric(20)"
	case template.Float:
		return "double precision"
	case template.String:
		return "text"
	case template.Bytes:
		return "bytea"
	case template.Time:
		return "timestamptz"
	}
	return "jsonb"
}

// widened returns the table with every Int field of row that a bigint cannot hold made Uint, whose numeric(20) holds every
// integer; t itself if there is none. A field of class Int has such a value when a program that declares it unsigned wrote it.
func (t *table) widened(row template.Row) *table {
	for i, v := range row.Fields() {
		if len(v) < 9 || i >= len(t.schema.Fields) || t.schema.Fields[i].Class != template.Int {
			continue // fewer bytes always fit
		}
		if _, fits := v.Int(); fits {
			continue
		}
		fields := slices.Clone(t.schema.Fields)
		fields[i].Class = template.Uint
		t = newTable(t.kind, t.name, &template.Schema{Kind: t.schema.Kind, Fields: fields, Supers: t.schema.Supers})
	}
	return t
}
