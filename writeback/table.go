package writeback

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lib/pq"

	"github.com/gospaces/gospaces/template"
)

// The columns of a table besides one for each field.
const (
	entryColumn   = "_id"
	expiresColumn = "_expires"
	visibleColumn = "_visible" // of a delayed entry: when it becomes visible
	stateColumn   = "_state"   // ready, held or delayed
	holderColumn  = "_holder"  // of a held entry: its holder
	triesColumn   = "_attempts"
	leftColumn    = "_left"  // of an archive: when the entry left
	howColumn     = "_how"   // of an archive: how it left
	moreColumn    = "_more"  // fields beyond maxColumns, if there are any
	exactColumn   = "_exact" // what the other columns do not hold exactly, if anything
)

// maxColumns is the number of fields with their own columns. PostgreSQL keeps up to 24 bytes of each column in a page
// of 8 KiB; with more columns some rows would not fit.
const maxColumns = 300

// table is the table of one kind.
type table struct {
	kind   uint32
	schema *template.Schema
	mode   Mode
	space  string   // its schema
	name   string   // within the schema; "" for a kind that never had a table
	fields []string // column names of the fields, in the order of the schema

	partition int
	own       string // condition for the rows of the partition

	dropped bool // the kind is dropped
	aside   bool // its name should say that it was set aside
	kept    bool // the table of a dropped kind must stay
	left    bool // other partitions have the table of the dropped kind
}

// newTable returns the table of a kind.
func newTable(kind uint32, schema *template.Schema, mode Mode, space, name string) *table {
	t := &table{kind: kind, schema: schema, mode: mode, space: space, name: name, own: "true"}
	taken := columnNames()
	for _, f := range schema.Fields[:min(len(schema.Fields), maxColumns)] {
		t.fields = append(t.fields, taken.pick(f.Name))
	}
	return t
}

// with returns the table with another schema.
func (t *table) with(schema *template.Schema) *table {
	other := newTable(t.kind, schema, t.mode, t.space, t.name)
	other.partition, other.own = t.partition, t.own
	other.dropped, other.aside, other.kept, other.left = t.dropped, t.aside, t.kept, t.left
	return other
}

// sql returns the name of the table, quoted for SQL.
func (t *table) sql() string { return quote(t.space) + "." + quote(t.name) }

// hasMore reports whether some fields share a column.
func (t *table) hasMore() bool { return len(t.schema.Fields) > maxColumns }

// column is a column of a table.
type column struct{ name, sqlType string }

// columns returns the columns of the table in the order of appendLine. Types are named as by format_type.
func (t *table) columns() []column {
	columns := []column{
		{entryColumn, "bigint"},
		{expiresColumn, timestamp},
		{visibleColumn, timestamp},
		{stateColumn, "text"},
		{holderColumn, "text"},
		{triesColumn, "bigint"},
	}
	if t.mode == Append {
		columns = append(columns, column{leftColumn, timestamp}, column{howColumn, "text"})
	}
	for i, name := range t.fields {
		columns = append(columns, column{name, columnType(t.schema.Fields[i].Class)})
	}
	if t.hasMore() {
		columns = append(columns, column{moreColumn, "jsonb"})
	}
	return append(columns, column{exactColumn, "bytea"})
}

// copyStatement returns the statement for the lines of appendLine.
func (t *table) copyStatement() string {
	var names []string
	for _, c := range t.columns() {
		names = append(names, quote(c.name))
	}
	return "COPY " + t.sql() + " (" + strings.Join(names, ", ") + ") FROM STDIN"
}

// create returns the statements that create the table, with a primary key of the given name, or of any name if key is
// empty.
func (t *table) create(key string) []string {
	var definitions []string
	for _, c := range t.columns() {
		definitions = append(definitions, quote(c.name)+" "+c.sqlType)
	}
	if key != "" {
		definitions[0] += " CONSTRAINT " + quote(key)
	}
	definitions[0] += " PRIMARY KEY"
	create := fmt.Sprintf("CREATE TABLE %s (%s)", t.sql(), strings.Join(definitions, ", "))
	return slices.Concat([]string{create}, t.label(), t.describe(nil))
}

// label returns the statement that writes the comment.
func (t *table) label() []string {
	return []string{"COMMENT ON TABLE " + t.sql() + " IS " + literal(t.comment())}
}

// kindComment begins the comment of every table of the mirror; comment is all of it.
const kindComment = "kind "

func (t *table) comment() string {
	comment := kindComment + clearText(t.schema.Kind)
	if t.aside {
		return droppedComment + comment
	}
	return comment
}

// alter returns the statements that turn the table with the columns have (name → type) into t: they add missing
// columns, and change types that differ. (A table that was adopted may have columns that the log is yet to define.)
// using is the expression that converts a value, with %s for the column and its new type; "" leaves the conversion to
// the database.
func (t *table) alter(have map[string]string, using string) []string {
	var changes []string
	for _, c := range t.columns() {
		switch is, ok := have[c.name]; {
		case !ok:
			changes = append(changes, "ADD COLUMN IF NOT EXISTS "+quote(c.name)+" "+c.sqlType)
		case is != c.sqlType && using == "":
			changes = append(changes, "ALTER COLUMN "+quote(c.name)+" TYPE "+c.sqlType)
		case is != c.sqlType:
			changes = append(changes, fmt.Sprintf("ALTER COLUMN %[1]s TYPE %[2]s USING "+using, quote(c.name), c.sqlType))
		}
	}
	if len(changes) == 0 {
		return nil
	}
	return append([]string{"ALTER TABLE " + t.sql() + " " + strings.Join(changes, ", ")}, t.describe(have)...)
}

// shape returns the columns by name, for alter.
func (t *table) shape() map[string]string {
	shape := make(map[string]string)
	for _, c := range t.columns() {
		shape[c.name] = c.sqlType
	}
	return shape
}

// describe returns the statements that comment new columns whose names differ from their fields.
func (t *table) describe(have map[string]string) []string {
	var comments []string
	for i, name := range t.fields {
		if _, ok := have[name]; ok || t.schema.Fields[i].Name == name {
			continue
		}
		comments = append(comments,
			fmt.Sprintf("COMMENT ON COLUMN %s.%s IS %s", t.sql(), quote(name), literal("field "+t.schema.Fields[i].Name)))
	}
	return comments
}

// literal quotes a text for SQL, with what a text cannot hold replaced.
func literal(text string) string {
	return pq.QuoteLiteral(clearText(text))
}

// clearText returns text with what PostgreSQL cannot hold replaced.
func clearText(text string) string { return string(clean([]byte(text))) }

const timestamp = "timestamp with time zone"

// columnType returns the type of the column of a field.
func columnType(c template.Class) string {
	switch c {
	case template.Bool:
		return "boolean"
	case template.Int, template.Duration:
		return "bigint"
	case template.Uint:
		return "numeric(20,0)"
	case template.Float:
		return "double precision"
	case template.String:
		return "text"
	case template.Bytes:
		return "bytea"
	case template.Time:
		return timestamp
	}
	return "jsonb"
}

// widened returns the table with class Uint for every Int field of row that a bigint cannot hold, since numeric(20)
// holds every integer; t itself if there is none. A field of class Int has such a value if a program that declares it
// unsigned wrote it.
func (t *table) widened(row template.Row) *table {
	for i, v := range row.Fields() {
		if len(v) < 9 || i >= len(t.schema.Fields) || t.schema.Fields[i].Class != template.Int {
			continue // fewer bytes always fit
		}
		if _, fits := v.Int(); fits {
			continue
		}
		t = t.wider(i)
	}
	return t
}
