package writeback_test

import (
	"cmp"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/writeback"
)

// model is the expected content of the tables, computed by applying records one at a time.
type model struct {
	kinds   map[uint32]*template.Schema
	entries map[uint64]entry // for archives, including those that have left
	dropped map[uint32]bool
	modes   writeback.Modes // by name of kind; the default is Mirror
}

type entry struct {
	kind    uint32
	row     template.Row
	expires int64
	visible int64  // of a delayed entry
	how     string // how it has left; "" if it has not

	state, holder string
	attempts      uint32
}

func newModel() *model {
	return &model{
		kinds: make(map[uint32]*template.Schema), entries: make(map[uint64]entry),
		dropped: make(map[uint32]bool),
	}
}

// apply applies one group of the log.
func (m *model) apply(records []byte) error {
	var r record.Record
	for rest := records; len(rest) > 0; {
		var err error
		if rest, err = record.Next(rest, &r); err != nil {
			return err
		}
		switch r.Op {
		case record.Kind:
			if m.kinds[r.Kind], err = template.DecodeSchema(r.Body); err != nil {
				return err
			}
		case record.Drop:
			m.dropped[r.Kind] = true
		case record.Put, record.PutLater:
			e := entry{
				kind: r.Kind, row: append(template.Row(nil), r.Body...), expires: r.Expires, visible: r.Visible,
				state: "ready",
			}
			if r.Visible != 0 {
				e.state = "delayed"
			}
			m.entries[r.ID] = e
		case record.Change:
			m.change(r.ID, func(e *entry) { e.row, e.expires = append(template.Row(nil), r.Body...), r.Expires })
		case record.Hold:
			m.change(r.Entry, func(e *entry) { e.state, e.holder, e.visible = "held", string(r.Body), 0 })
		case record.Release:
			m.change(r.ID, func(e *entry) { e.state, e.holder, e.visible, e.attempts = "ready", "", 0, r.Tries })
		case record.Defer:
			m.change(r.ID, func(e *entry) { e.state, e.holder, e.visible, e.attempts = "delayed", "", r.Visible, r.Tries })
		case record.Reveal:
			m.change(r.ID, func(e *entry) { e.state, e.holder, e.visible = "ready", "", 0 })
		case record.Remove:
			m.remove(r.ID, r.Reason)
		case record.Take, record.TakeMore:
			m.remove(r.Entry, record.Taken)
		case record.Renew:
			m.change(r.ID, func(e *entry) { e.expires = r.Expires })
		}
	}
	return nil
}

// change changes an entry, if it is there.
func (m *model) change(id uint64, change func(*entry)) {
	if e, ok := m.entries[id]; ok && e.how == "" {
		change(&e)
		m.entries[id] = e
	}
}

func (m *model) remove(id uint64, why record.Reason) {
	e, ok := m.entries[id]
	if !ok {
		return
	}
	if m.mode(e.kind) != writeback.Append {
		delete(m.entries, id)
		return
	}
	e.how = []string{"", "taken", "expired", "cancelled"}[why]
	m.entries[id] = e
}

func (m *model) mode(kind uint32) writeback.Mode { return m.modes[m.kinds[kind].Kind] }

// requireMirror fails the test unless the tables of space hold exactly the entries of m.
func requireMirror(t *testing.T, db *sql.DB, space string, m *model) {
	t.Helper()
	require.NoError(t, differs(db, space, m))
}

// differs returns an error that describes a difference between the tables of space and the entries of m, or nil.
func differs(db *sql.DB, space string, m *model) error {
	want, filled := make(map[string]string), make(map[uint32]bool)
	for id, e := range m.entries {
		if s := m.kinds[e.kind]; m.mode(e.kind) != writeback.None {
			want[fmt.Sprintf("%s/%d", m.table(e.kind), id)] = expectedRow(s, e)
			filled[e.kind] = true
		}
	}
	got := make(map[string]string)
	for kind, s := range m.kinds {
		if m.mode(kind) == writeback.None || m.dropped[kind] && !filled[kind] {
			continue
		}
		if err := readTable(db, space, m.table(kind), s, got); err != nil {
			return err
		}
	}
	for key := range got {
		if want[key] == "" {
			return fmt.Errorf("%s should not be there; there are %d rows instead of %d", key, len(got), len(want))
		}
	}
	for key, row := range want {
		if got[key] != row {
			return fmt.Errorf("%s is\n%s\ninstead of\n%s", key, cmp.Or(got[key], "not there"), row)
		}
	}
	return nil
}

// table returns the name of the table of a kind, which stays when an archive is dropped.
func (m *model) table(kind uint32) string {
	if m.dropped[kind] {
		return fmt.Sprintf("%s_dropped_%d", m.kinds[kind].Kind, kind)
	}
	return m.kinds[kind].Kind
}

// expectedRow describes an entry as readTable describes its row.
func expectedRow(s *template.Schema, e entry) string {
	expires := "null"
	if e.expires != math.MaxInt64 {
		expires = describeTime(time.Unix(0, e.expires))
	}
	visible := "null"
	if e.visible != 0 {
		visible = describeTime(time.Unix(0, e.visible))
	}
	parts := []string{
		"_expires=" + expires, "_visible=" + visible, "_how=" + cmp.Or(e.how, "null"),
		"_state=" + e.state, "_holder=" + cmp.Or(printable(e.holder), "null"), fmt.Sprint("_attempts=", e.attempts),
	}
	for i, f := range s.Fields {
		parts = append(parts, f.Name+"="+describe(f.Class, e.row.Field(i).Any()))
	}
	return strings.Join(parts, "\n")
}

// readTable describes each row of a kind's table. The names of the fields must be usable as columns.
func readTable(db *sql.DB, space, table string, s *template.Schema, into map[string]string) error {
	rows, err := db.Query(fmt.Sprintf(`SELECT * FROM %q.%q`, "space_"+space, table))
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	for rows.Next() {
		values := make(map[string]any)
		pointers := make([]any, len(columns))
		for i := range columns {
			pointers[i] = new(any)
		}
		if err := rows.Scan(pointers...); err != nil {
			return err
		}
		for i, c := range columns {
			values[c] = *pointers[i].(*any)
		}
		var parts []string
		for _, name := range []string{"_expires", "_visible", "_how", "_state", "_holder", "_attempts"} {
			parts = append(parts, name+"="+describeColumn(0, values[name]))
		}
		for _, f := range s.Fields {
			parts = append(parts, f.Name+"="+describeColumn(f.Class, values[f.Name]))
		}
		into[fmt.Sprintf("%s/%v", table, values["_id"])] = strings.Join(parts, "\n")
	}
	return rows.Err()
}

// describeColumn describes what the driver returned for a field of class c.
func describeColumn(c template.Class, v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case time.Time:
		return describeTime(v)
	case []byte:
		switch c {
		case template.Int, template.Uint:
			return string(v) // numeric
		case template.Bytes:
			return hex.EncodeToString(v)
		}
		return normalJSON(v)
	}
	return fmt.Sprint(v)
}

// describe describes a value of class c in the form of describeColumn.
func describe(c template.Class, v any) string {
	if v == nil {
		return "null"
	}
	switch v := v.(type) {
	case time.Time:
		return describeTime(v)
	case time.Duration:
		return strconv.FormatInt(int64(v), 10)
	case string:
		return printable(v)
	case []byte:
		return hex.EncodeToString(v)
	}
	if c.Ordered() {
		return fmt.Sprint(v)
	}
	b, err := json.Marshal(jsonable(v))
	if err != nil {
		panic(err)
	}
	return normalJSON(b)
}

func describeTime(t time.Time) string {
	return t.UTC().Truncate(time.Microsecond).Format(time.RFC3339Nano)
}

// printable returns s as a text column holds it.
func printable(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// jsonable turns the result of Value.Any for a nested value into one that encoding/json writes as the jsonb column
// should hold it.
func jsonable(v any) any {
	switch v := v.(type) {
	case string:
		return printable(v)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return strings.Replace(strings.TrimPrefix(fmt.Sprint(v), "+"), "Inf", "Infinity", 1)
		}
	case []byte:
		return base64.StdEncoding.EncodeToString(v)
	case []any:
		list := []any{}
		for _, e := range v {
			list = append(list, jsonable(e))
		}
		return list
	case map[string]any:
		m := map[string]any{}
		for k, e := range v {
			m[printable(k)] = jsonable(e)
		}
		return m
	case template.Pairs:
		m := map[string]any{}
		for _, p := range v {
			key := jsonable(p.Key)
			if d, ok := key.(time.Duration); ok {
				key = int64(d)
			}
			if s, ok := key.(time.Time); ok {
				key = s.Format(time.RFC3339Nano)
			}
			m[fmt.Sprint(key)] = jsonable(p.Value)
		}
		return m
	}
	return v
}

// normalJSON returns JSON with sorted keys and numbers written in one way.
func normalJSON(b []byte) string {
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		panic(fmt.Sprintf("%s: %v", b, err))
	}
	normal, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(normal)
}

// generator makes random programs.
type generator struct {
	*rand.Rand
	kinds []*template.Schema // by number, from 1
	live  []uint64
	next  uint64
	plain bool // entries are always ready
	alike bool // a field of a name has the same class in all programs

	kindOf  map[uint64]int
	dropped map[int]bool // kinds
}

func newGenerator(seed uint64) *generator {
	return &generator{Rand: rand.New(rand.NewPCG(seed, 1)), next: 1}
}

// group returns a random group of n operations. Calls that change several entries are marked.
func (g *generator) group(n int) []byte {
	var b []byte
	call := 0 // where the current call begins
	for range n {
		if g.IntN(3) > 0 {
			b = markCall(b, call)
			call = len(b)
		}
		switch p := g.IntN(100); {
		case len(g.living()) == 0 || p < 1 && len(g.living()) < 5:
			b = g.newKind(b)
		case p < 1 && g.IntN(4) == 0:
			b = g.dropKind(b)
		case p < 3:
			b = g.moreFields(b)
		case p < 55 || len(g.live) == 0:
			b = g.put(b)
		case p < 60:
			b = g.change(b)
		case p < 85:
			b = g.remove(b)
		case p < 90:
			b = g.renew(b)
		case p < 95:
			id := g.live[g.IntN(len(g.live))]
			b = g.hold(b, id, g.kind(id))
		default:
			b = g.registration(b)
		}
	}
	return markCall(b, call)
}

// markCall marks the records of group from offset from on, which belong to one call, as the space does.
func markCall(group []byte, from int) []byte {
	var changes record.Changes
	var r record.Record
	for rest := group[from:]; len(rest) > 0; {
		rest, _ = record.Next(rest, &r)
		if entry := r.Changed(); entry != 0 {
			changes.Add(entry)
		}
	}
	return changes.Mark(group)
}

// living returns the kinds that are not dropped.
func (g *generator) living() []int {
	var kinds []int
	for i := range g.kinds {
		if !g.dropped[i+1] {
			kinds = append(kinds, i+1)
		}
	}
	return kinds
}

// pick returns a kind that is not dropped.
func (g *generator) pick() int {
	living := g.living()
	return living[g.IntN(len(living))]
}

// newKind creates a kind with the first unused name.
func (g *generator) newKind(b []byte) []byte {
	taken := make(map[string]bool)
	for _, kind := range g.living() {
		taken[g.kinds[kind-1].Kind] = true
	}
	n := 1
	for taken[fmt.Sprintf("Kind %d", n)] {
		n++
	}
	s := &template.Schema{Kind: fmt.Sprintf("Kind %d", n)}
	g.kinds = append(g.kinds, s)
	return g.grow(b, len(g.kinds), 1+g.IntN(6))
}

// dropKind removes the entries of a kind, and then the kind.
func (g *generator) dropKind(b []byte) []byte {
	kind := g.pick()
	g.live = slices.DeleteFunc(g.live, func(id uint64) bool {
		leaves := int(g.kind(id)) == kind
		if leaves {
			b = record.AppendRemove(b, id, uint32(kind), record.Taken)
		}
		return leaves
	})
	if g.dropped == nil {
		g.dropped = make(map[int]bool)
	}
	g.dropped[kind] = true
	return record.AppendDrop(b, uint32(kind))
}

// moreFields extends a kind that has few fields.
func (g *generator) moreFields(b []byte) []byte {
	kind := g.pick()
	if len(g.kinds[kind-1].Fields) > 30 {
		return b
	}
	return g.grow(b, kind, 1+g.IntN(2))
}

// grow adds fields to a kind and records that in the log.
func (g *generator) grow(b []byte, kind, fields int) []byte {
	old := g.kinds[kind-1]
	s := &template.Schema{Kind: old.Kind, Fields: append([]template.Field(nil), old.Fields...)}
	for range fields {
		class := template.Class(1 + g.IntN(int(template.Struct)))
		if g.alike {
			class = template.Class(1 + (len(s.Fields)+int(s.Kind[len(s.Kind)-1]))%int(template.Struct))
		}
		s.Fields = append(s.Fields, template.Field{Name: fmt.Sprintf("f%d %s", len(s.Fields), class), Class: class})
	}
	g.kinds[kind-1] = s
	return record.AppendKind(b, uint32(kind), template.AppendSchema(nil, s))
}

// row returns the fields of an entry of a kind.
func (g *generator) row(kind int) template.Row {
	fields := make(map[string]any)
	for _, f := range g.kinds[kind-1].Fields {
		if g.IntN(4) > 0 {
			fields[f.Name] = g.value(f.Class, 0)
		}
	}
	row, err := template.RowFromMap(g.kinds[kind-1], fields)
	if err != nil {
		panic(err)
	}
	return row
}

func (g *generator) put(b []byte) []byte {
	id, kind := g.next, g.pick()
	g.next += 1 + g.Uint64N(2)
	g.live = append(g.live, id)
	if g.kindOf == nil {
		g.kindOf = make(map[uint64]int)
	}
	g.kindOf[id] = kind
	if g.IntN(5) == 0 && !g.plain {
		return record.AppendPutLater(b, id, uint32(kind), g.expiry(), g.Int64N(1e18), g.row(kind))
	}
	return record.AppendPut(b, id, uint32(kind), g.expiry(), g.row(kind))
}

// change changes an entry put by this generator.
func (g *generator) change(b []byte) []byte {
	id := g.live[g.IntN(len(g.live))]
	kind, ok := g.kindOf[id]
	if !ok {
		return b
	}
	b = g.hold(b, id, uint32(kind))
	return record.AppendChange(b, id, uint32(kind), g.expiry(), g.row(kind))
}

// hold lets a transaction take an entry, and perhaps releases it again.
func (g *generator) hold(b []byte, id uint64, kind uint32) []byte {
	if g.plain {
		return b
	}
	b = record.AppendHold(b,
		&record.Held{Txn: 1, Entry: id, Kind: kind, Since: 1, Until: forever, Holder: "host" + nasty[g.IntN(len(nasty))]})
	switch g.IntN(5) {
	case 0:
		return record.AppendRelease(b, id, kind, record.Gone, 1, g.Uint32N(100))
	case 1:
		return record.AppendDefer(b, id, kind, g.Uint32N(100), 1+g.Int64N(1e18))
	case 2:
		b = record.AppendDefer(b, id, kind, g.Uint32N(100), 1+g.Int64N(1e18))
		return record.AppendReveal(b, id, kind)
	case 3:
		return record.AppendReveal(b, id, kind)
	}
	return b
}

func (g *generator) renew(b []byte) []byte {
	id := g.live[g.IntN(len(g.live))]
	return record.AppendRenew(b, id, g.kind(id), g.expiry())
}

// kind returns the kind of an entry, which is 1 for entries of other generators.
func (g *generator) kind(id uint64) uint32 { return uint32(max(g.kindOf[id], 1)) }

func (g *generator) remove(b []byte) []byte {
	i := g.IntN(len(g.live))
	if g.IntN(2) == 0 { // mostly young ones, which may still be in the batch
		i = len(g.live) - 1 - g.IntN(min(len(g.live), 10))
	}
	id := g.live[i]
	g.live[i] = g.live[len(g.live)-1]
	g.live = g.live[:len(g.live)-1]
	if g.IntN(3) == 0 {
		return record.AppendTake(b, []record.Op{record.Take, record.TakeMore}[g.IntN(2)], 1, g.Uint64N(1000), id, g.kind(id))
	}
	return record.AppendRemove(b, id, g.kind(id), record.Reason(1+g.IntN(3)))
}

// registration appends records that have no effect on the database.
func (g *generator) registration(b []byte) []byte {
	id := g.next
	g.next++
	b = record.AppendRegister(b, id, g.expiry(), []byte("query"))
	b = record.AppendNotify(b, id, 1)
	b = record.AppendDone(b, 1, g.Uint64N(1000), []byte("outcome"))
	b = record.AppendRenew(b, id, 0, g.expiry())
	return record.AppendUnregister(b, id, record.Cancelled)
}

func (g *generator) expiry() int64 {
	if g.IntN(2) == 0 {
		return math.MaxInt64
	}
	return time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano() + g.Int64N(1e18)
}

var nasty = []string{
	"", "a", "\x00", "\t\n\r\b\f\v\\", `\N`, `\.`, "\xff\xfe", "日本語", "\u2028😀", `"quoted" 'too'`,
	"\x01\x1f\x7f", "{}", "null",
}

func (g *generator) value(c template.Class, depth int) any {
	switch c {
	case template.Bool:
		return g.IntN(2) == 0
	case template.Int:
		return []int64{0, -1, math.MinInt64, math.MaxInt64, g.Int64(), int64(g.IntN(1000))}[g.IntN(6)]
	case template.Uint:
		return []uint64{0, math.MaxUint64, g.Uint64(), uint64(g.IntN(1000))}[g.IntN(4)]
	case template.Float:
		return []float64{
			0, math.NaN(), math.Inf(1), math.Inf(-1), math.SmallestNonzeroFloat64, math.MaxFloat64,
			-math.MaxFloat64, g.NormFloat64(),
		}[g.IntN(8)]
	case template.String:
		return nasty[g.IntN(len(nasty))] + nasty[g.IntN(len(nasty))]
	case template.Bytes:
		b := make([]byte, g.IntN(20))
		for i := range b {
			b[i] = byte(g.Uint32())
		}
		return b
	case template.Time:
		return time.Unix(g.Int64N(4e9), g.Int64N(1e9)).UTC()
	case template.Duration:
		return time.Duration(g.Int64() - math.MaxInt64/2)
	case template.List:
		list := make([]any, g.IntN(4))
		for i := range list {
			list[i] = g.nested(depth)
		}
		return list
	}
	m := map[string]any{}
	for i := range g.IntN(4) {
		m[fmt.Sprint(nasty[g.IntN(len(nasty))], i)] = g.nested(depth)
	}
	return m
}

func (g *generator) nested(depth int) any {
	if g.IntN(6) == 0 {
		return nil
	}
	classes := 11
	if depth > 2 {
		classes = 8
	}
	return g.value(template.Class(1+g.IntN(classes)), depth+1)
}
