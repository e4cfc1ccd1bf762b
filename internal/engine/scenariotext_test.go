package engine

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// Parsing and printing of scenarios.

// notFields are the arguments that do not name fields.
var notFields = []string{
	"txn", "for", "delay", "wait", "take", "if-exists", "order", "max", "where", "version", "on",
	"entry", "each", "held",
}

func (s *scenario) arg(key string) *datadriven.CmdArg {
	i := slices.IndexFunc(s.d.CmdArgs, func(a datadriven.CmdArg) bool { return a.Key == key })
	if i < 0 {
		return nil
	}
	return &s.d.CmdArgs[i]
}

func (s *scenario) text(key string) (string, bool) {
	a := s.arg(key)
	if a == nil {
		return "", false
	}
	return a.SingleVal(s.t), true
}

func (s *scenario) number(key string, without int) int {
	v, given := s.text(key)
	if !given {
		return without
	}
	n, err := strconv.Atoi(v)
	require.NoError(s.t, err, s.d.Pos)
	return n
}

func (s *scenario) duration(key string, without int64) int64 {
	v, given := s.text(key)
	if !given {
		return without
	}
	d, err := time.ParseDuration(v)
	require.NoError(s.t, err, s.d.Pos)
	return int64(d)
}

// txn returns the transaction that argument i names.
func (s *scenario) txn(i int) txn.ID {
	id, known := s.txns[s.d.CmdArgs[i].Key]
	require.True(s.t, known, "%s: no transaction %s", s.d.Pos, s.d.CmdArgs[i].Key)
	return txn.ID{Number: id}
}

// under returns the transaction of the option txn.
func (s *scenario) under() txn.ID {
	name, given := s.text("txn")
	if !given {
		return txn.ID{}
	}
	id, known := s.txns[name]
	require.True(s.t, known, "%s: no transaction %s", s.d.Pos, name)
	return txn.ID{Number: id}
}

// entry returns the identity of the entry that argument i names: #1 is the first in the scenario.
func (s *scenario) entry(i int) uint64 { return s.labelled(s.d.CmdArgs[i].Key) }

func (s *scenario) labelled(label string) uint64 {
	n, err := strconv.Atoi(strings.TrimPrefix(label, "#"))
	require.NoError(s.t, err, s.d.Pos)
	require.LessOrEqual(s.t, n, len(s.entries), "%s: no entry %s yet", s.d.Pos, label)
	return s.entries[n-1]
}

// lessee returns the identity of the entry, transaction or registration that argument i names.
func (s *scenario) lessee(i int) uint64 {
	name := s.d.CmdArgs[i].Key
	if strings.HasPrefix(name, "#") {
		return s.entry(i)
	}
	if id, ok := s.txns[name]; ok {
		return id
	}
	id, ok := s.regs[name]
	require.True(s.t, ok, "%s: nothing is called %s", s.d.Pos, name)
	return id
}

func (s *scenario) kindNamed(name string) *kind {
	id, ok := s.e.byName[name]
	require.True(s.t, ok, "%s: no kind %s", s.d.Pos, name)
	return s.e.kinds[id-1]
}

// drafts returns the entries in the lines below the command, and the entry in the command's own arguments if these name
// a kind.
func (s *scenario) drafts() []call.Draft {
	var drafts []call.Draft
	for line := range strings.Lines(s.d.Input) {
		kind, args, err := datadriven.ParseLine(strings.TrimSpace(line))
		require.NoError(s.t, err, s.d.Pos)
		k := s.kindNamed(kind)
		drafts = append(drafts, call.Draft{
			Kind: k.id, Row: s.row(k.schema, args), Lease: s.duration("for", call.Forever), Delay: s.duration("delay", 0),
		})
	}
	return drafts
}

func (s *scenario) row(schema *template.Schema, args []datadriven.CmdArg) template.Row {
	fields := map[string]any{}
	for _, a := range args {
		if !slices.Contains(notFields, a.Key) {
			fields[a.Key] = value(a.SingleVal(s.t))
		}
	}
	row, err := template.RowFromMap(schema, fields)
	require.NoError(s.t, err, s.d.Pos)
	return row
}

// value reads a number, a bool or a string.
func value(text string) any {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}
	if b, err := strconv.ParseBool(text); err == nil {
		return b
	}
	return text
}

// query reads a template: a kind or "any", field=value for equality, where=(field op value, ...), and notFields.
func (s *scenario) query() *call.Query {
	q := &call.Query{
		Max: s.number("max", 1), Txn: s.under(), Lease: s.duration("for", call.Forever),
		Take: s.arg("take") != nil, IfExists: s.arg("if-exists") != nil, Begin: s.arg("each") != nil,
		Held: s.arg("held") != nil,
	}
	if label, given := s.text("entry"); given {
		q.ID = s.labelled(label)
	}
	if s.d.CmdArgs[0].Key == "any" {
		q.Templates = []call.Template{{}}
		return q
	}
	k := s.kindNamed(s.d.CmdArgs[0].Key)
	q.Templates = []call.Template{{Kind: k.id, Conds: s.conds(k.schema)}}
	if a := s.arg("order"); a != nil {
		for _, f := range a.Vals {
			name, descending := strings.CutPrefix(f, "-")
			q.Order = append(q.Order, template.Order{Field: k.schema.Index(name), Desc: descending})
		}
	}
	require.NoError(s.t, s.e.Check(q), s.d.Pos)
	return q
}

var operators = map[string]template.Op{
	"!=": template.Ne, "<": template.Lt, "<=": template.Le, ">": template.Gt, ">=": template.Ge, "prefix": template.Prefix,
}

func (s *scenario) conds(schema *template.Schema) []template.Cond {
	var conds []template.Cond
	add := func(field string, op template.Op, v string) {
		i, operand, err := schema.Operand(field, value(v))
		require.NoError(s.t, err, s.d.Pos)
		conds = append(conds, template.Cond{Field: i, Op: op, Value: operand})
	}
	for _, a := range s.d.CmdArgs[1:] {
		if !slices.Contains(notFields, a.Key) {
			add(a.Key, template.Eq, a.SingleVal(s.t))
		}
	}
	if a := s.arg("where"); a != nil {
		for _, c := range a.Vals {
			words := strings.Fields(c)
			require.Len(s.t, words, 3, s.d.Pos)
			add(words[0], operators[words[1]], words[2])
		}
	}
	return conds
}

// result prints the error of a call, and reports whether there was none.
func (s *scenario) result(r call.Result) bool {
	if r.Err != nil {
		s.printf("%s", errorText(r.Err))
	}
	return r.Err == nil
}

// errorText prints an error without its package.
func errorText(err error) string {
	if errors.Is(err, call.ErrNoMatch) {
		return "none"
	}
	return strings.ReplaceAll(err.Error(), "space: ", "")
}

// view prints an entry: #1 job id=7 state=new.
func (s *scenario) view(v call.View) string {
	var b strings.Builder
	schema := s.e.Schema(v.Kind)
	fmt.Fprintf(&b, "%s %s", s.entries.of(v.ID), schema.Kind)
	for i, f := range v.Row.Fields() {
		if f != nil {
			fmt.Fprintf(&b, " %s=%v", schema.Fields[i].Name, f.Any())
		}
	}
	if v.Version > 1 {
		fmt.Fprintf(&b, ", version %d", v.Version)
	}
	if v.Attempts > 0 {
		fmt.Fprintf(&b, ", attempts %d", v.Attempts)
	}
	if v.Died != nil {
		fmt.Fprintf(&b, ", %s died with it", v.Died.Holder)
	}
	return b.String()
}

// begun names the transaction that was begun for an entry, by each=NAME for the first, NAME2, NAME3 and so on.
func (s *scenario) begun(q *call.Query, v call.View, i int) string {
	if !q.Begin {
		return ""
	}
	name, ok := s.text("each")
	if !ok || s.d.Cmd != "find" {
		name = "granted"
	}
	if i > 0 {
		name += strconv.Itoa(i + 1)
	}
	s.txns[name] = v.Txn
	return ", under " + name
}

func (s *scenario) lease(of string, g call.Grant) string {
	if g.Granted == math.MaxInt64 {
		return of
	}
	return fmt.Sprintf("%s for %v", of, time.Duration(g.Granted))
}

var eventNames = map[call.EventType]string{
	call.Written: "written", call.Gap: "gap", call.Taken: "taken", call.Expired: "expired", call.Cancelled: "cancelled",
	call.Renewed: "renewed",
	call.Updated: "updated", call.Visible: "visible", call.Available: "available",
}

func eventNamed(name string) call.EventType {
	for typ, n := range eventNames {
		if n == name {
			return typ
		}
	}
	panic("no type of event is called " + name)
}

func classNamed(name string) template.Class {
	for c := template.Bool; c.Valid(); c++ {
		if c.String() == name {
			return c
		}
	}
	panic("no class is called " + name)
}

func nameOf(names map[string]uint64, id uint64) string {
	for _, name := range sortedKeys(names) {
		if names[name] == id {
			return name
		}
	}
	return "?"
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
