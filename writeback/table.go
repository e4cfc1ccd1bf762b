package writeback

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lib/pq"

	"github.com/gospaces/gospaces/template"
)

// The columns that tables have besides one for each field.
const (
	entryColumn   = "_id"
	expiresColumn = "_expires"
	visibleColumn = "_visible" // of a delayed one: from when on it is seen
	stateColumn   = "_state"   // ready, held or delayed
	holderColumn  = "_holder"  // who has it, of one that is held
	triesColumn   = "_attempts"
	leftColumn    = "_left"  // of an archive: when the entry left
	howColumn     = "_how"   // of an archive: how it left
	moreColumn    = "_more"  // fields beyond maxColumns, if there are any
	exactColumn   = "_exact" // what the others do not tell exactly, if there is any
)

// maxColumns is how many fields get a column of their own. PostgreSQL keeps what it cannot move out of a row, up to 24
// bytes a column, in a page of 8 KiB; with more columns than this there could be rows that do not fit.
const maxColumns = 300

// table is the table of one kind.
type table struct {
	kind   uint32
	schema *template.Schema
	mode   Mode
	space  string   // the schema that it is in
	name   string   // without that; "" for a kind that never had a table
	fields []string // names of the columns of fields, in the order of the schema

	dropped bool // the kind is
	aside   bool // it is to have a name that says so
	kept    bool // it is known that the table of a dropped kind has to stay
}

// newTable returns the table of a kind.
func newTable(kind uint32, schema *template.Schema, mode Mode, space, name string) *table {
	t := &table{kind: kind, schema: schema, mode: mode, space: space, name: name}
	taken := columnNames()
	for _, f := range schema.Fields[:min(len(schema.Fields), maxColumns)] {
		t.fields = append(t.fields, taken.pick(f.Name))
	}
	return t
}

// with returns the table with another schema.
func (t *table) with(schema *template.Schema) *table {
	other := newTable(t.kind, schema, t.mode, t.space, t.name)
	other.dropped, other.aside, other.kept = t.dropped, t.aside, t.kept
	return other
}

// sql returns the name of the table as SQL writes it.
func (t *table) sql() string { return quote(t.space) + "." + quote(t.name) }

// hasMore reports whether some fields share a column.
func (t *table) hasMore() bool { return len(t.schema.Fields) > maxColumns }

// column is a column as it should be.
type column struct{ name, sqlType string }

// columns returns the columns of the table in the order in which appendLine has them. Types are named as format_type
// does.
func (t *table) columns() []column {
	columns := []column{{entryColumn, "bigint"}, {expiresColumn, timestamp}, {visibleColumn, timestamp}, {stateColumn, "text"}, {holderColumn, "text"}, {triesColumn, "bigint"}}
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

// copyStatement returns the statement that takes the lines of appendLine.
func (t *table) copyStatement() string {
	var names []string
	for _, c := range t.columns() {
		names = append(names, quote(c.name))
	}
	return "COPY " + t.sql() + " (" + strings.Join(names, ", ") + ") FROM STDIN"
}

// create returns the statements that make the table, with a primary key of the given name, or of any if that is empty.
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

// kindComment begins what is written at a table that belongs to the mirror; comment is all of it.
const kindComment = "kind "

func (t *table) comment() string {
	comment := kindComment + clearText(t.schema.Kind)
	if t.aside {
		return droppedComment + comment
	}
	return comment
}

// alter returns the statements that turn the table, which has the columns have (name → type), into t: columns that are
// missing, and another type where it is another. (A table that was adopted may have columns that the log is yet to tell
// of.) using is how a value gets there from its old type, with %s for the column and its new type; "" leaves that to
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

// describe returns the statements that tell the fields of columns that are not among have and whose names are others.
func (t *table) describe(have map[string]string) []string {
	var comments []string
	for i, name := range t.fields {
		if _, ok := have[name]; ok || t.schema.Fields[i].Name == name {
			continue
		}
		comments = append(comments, fmt.Sprintf("COMMENT ON COLUMN %s.%s IS %s", t.sql(), quote(name), literal("field "+t.schema.Fields[i].Name)))
	}
	return comments
}

// literal returns text as SQL writes it, with what a text cannot have replaced.
func literal(text string) string {
	return pq.QuoteLiteral(clearText(text))
}

// clearText returns text with what PostgreSQL cannot have in a text replaced.
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

// widened returns the table with every Int field of row that a bigint cannot hold made Uint, whose numeric(20) holds
// every integer; t itself if there is none. A field of class Int has such a value when a program that declares it
// unsigned wrote it.
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
		t = t.with(&template.Schema{Kind: t.schema.Kind, Fields: fields, Supers: t.schema.Supers})
	}
	return t
}
