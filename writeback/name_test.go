package writeback_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/writeback"
)

// nastyNames are names of kinds and fields that cause trouble in SQL.
var nastyNames = []string{
	"select", "user", "order by", `quo"ted`, "it's", "semi;colon --", "dot.dot", `back\slash`, "tab\tnew\nline", "nul\x00",
	"nul_",
	"Case", "case", "CASE", "ümläut", "日本語", "😀", " ", "%s $1 ?",
	"_id", "_expires", "_visible", "_more", "_exact", "xmin", "ctid", "tableoid", "oid",
	strings.Repeat("n", 63), strings.Repeat("n", 64), strings.Repeat("n", 255),
	strings.Repeat("ü", 100) + "a", strings.Repeat("ü", 100) + "b",
	"Job", "Job_pkey", "_Job", "pg_catalog", "positions", "_dead_letters", "_state", "_holder", "_attempts", "_left", "_how",
	"caf\u00e9", "cafe\u0301", "\u0430", "a", "K", "\u212a", "zero\u200bwidth", "zerowidth", "\u202eltr",
	"$gospaces$", "u.c0", "c0", "excluded", "t",
}

func TestNames_NothingThatAKindOrFieldIsCalledStopsTheMirror(t *testing.T) {
	t.Parallel()
	dsn, db := newDatabase(t)
	const space = `My "Space" / ` + "ü"
	log := newMemLog()
	s := template.Schema{}
	fields := make(map[string]any)
	for i, name := range nastyNames {
		s.Fields = append(s.Fields, template.Field{Name: name, Class: template.String})
		fields[name] = fmt.Sprint(i)
	}
	var group []byte
	for i, name := range nastyNames {
		kind := s
		kind.Kind = name
		group = append(group, kindRecord(uint32(i+1), &kind)...)
		group = record.AppendPut(group, uint64(i+1), uint32(i+1), forever, row(t, &kind, fields))
	}
	log.Append(group)
	w, _ := start(t, log, writeback.Config{DSN: dsn, Space: space})
	require.NoError(t, w.Flush(t.Context()))

	tables := column(t, db, `SELECT format('%I.%I', 'space_' || space, table_name) FROM gospaces.kinds ORDER BY kind`)
	require.Len(t, tables, len(nastyNames))
	for i, table := range tables {
		values := column(t, db, fmt.Sprintf(`SELECT value FROM %s
			AS one, jsonb_each_text(jsonb_strip_nulls(to_jsonb(one)) - '{_id,_state,_attempts}'::text[]) WHERE _id = %d
			ORDER BY value::int`, table, i+1))
		require.Len(t, values, len(nastyNames), table)
	}
	for _, name := range []string{"select", "Case", "case", "CASE", `quo"ted`, "Job"} {
		require.Equal(t, []string{name}, column(t, db, `SELECT table_name FROM gospaces.kinds
			WHERE name = '`+name+`'`), "not changed without need")
	}
}

func TestNames_AKindLeavesAloneWhatIsInTheSchemaAlready(t *testing.T) {
	t.Parallel()
	dsn, db := newDatabase(t)
	_, err := db.Exec(`CREATE SCHEMA space_test; CREATE VIEW space_test."Job" AS SELECT 1 AS mine`)
	require.NoError(t, err)
	log, m := newMemLog(), newModel()
	follow(t, log, m, appendJobs(t, kindRecord(1, job), 1, 1))
	w, _ := start(t, log, writeback.Config{DSN: dsn})
	require.NoError(t, w.Flush(t.Context()))
	require.Equal(t, []string{"1"}, column(t, db, `SELECT mine::text FROM space_test."Job"`))
	name := column(t, db, `SELECT table_name FROM gospaces.kinds`)[0]
	require.Regexp(t, `^Job_[0-9a-f]{8}$`, name)
	require.Equal(t, []string{"1"}, column(t, db, `SELECT id::text FROM space_test."`+name+`"`))
}

func TestNames_CommentsTellTheFieldOfARenamedColumn(t *testing.T) {
	t.Parallel()
	s := &template.Schema{
		Kind:   "k",
		Fields: []template.Field{{Name: "plain", Class: template.Int}, {Name: "_id", Class: template.Int}},
	}
	db := mirrorRows(t, s, map[string]any{"plain": int64(1), "_id": int64(2)})
	require.Equal(t, []string{"field _id"}, column(t, db,
		`SELECT d.description FROM pg_description d JOIN pg_attribute a ON attrelid = objoid AND attnum = objsubid
			WHERE objoid = 'space_test.k'::regclass`))
}

// Different statements handle rows that come, change, are held, leave, and are refused.
func TestNames_EveryStatementStandsThem(t *testing.T) {
	t.Parallel()
	s := &template.Schema{Kind: `it's "$gospaces$" t`}
	fields, later := make(map[string]any), make(map[string]any)
	for _, name := range nastyNames {
		s.Fields = append(s.Fields, template.Field{Name: name, Class: template.String})
		fields[name], later[name] = `a\b"c'`+"\t{,}", "later"
	}
	x := mirrorJobs(t, writeback.Config{}, 0)
	x.follow(kindRecord(2, s))
	table := column(t, x.db, `SELECT format('space_test.%I', table_name) FROM gospaces.kinds WHERE kind = 2`)[0]
	x.exec(`ALTER TABLE ` + table + ` ADD CHECK (_id <> 2)`)
	var group []byte
	for id := range uint64(4) {
		group = record.AppendPut(group, 1+id, 2, forever, row(t, s, fields))
	}
	x.follow(group)
	group = record.AppendChange(nil, 1, 2, forever, row(t, s, later))
	group = record.AppendHold(group, &record.Held{Txn: 9, Entry: 3, Kind: 2, Until: forever, Holder: `it's "me"`})
	x.follow(record.AppendRemove(group, 4, 2, record.Taken))
	require.Equal(t, []string{"1 ready", `3 held it's "me"`},
		column(t, x.db, `SELECT concat_ws(' ', _id, _state, _holder) FROM `+table+` ORDER BY _id`))
	require.Len(t, x.letters(), 1)
	require.Zero(t, x.Stats().Failures)
}
