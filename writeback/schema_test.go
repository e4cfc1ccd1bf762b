package writeback_test

import (
	"database/sql"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/writeback"
)

// mirrorRows mirrors one entry of s for each of rows and returns the database.
func mirrorRows(t *testing.T, s *template.Schema, rows ...map[string]any) *sql.DB {
	t.Helper()
	dsn, db := newDatabase(t)
	log := newMemLog()
	group := kindRecord(1, s)
	for i, fields := range rows {
		group = record.AppendPut(group, uint64(i+1), 1, forever, row(t, s, fields))
	}
	log.Append(group)
	w, _ := start(t, log, writeback.Config{DSN: dsn})
	require.NoError(t, w.Flush(t.Context()))
	return db
}

func TestColumns_CanBeQueriedAsWhatTheyAre(t *testing.T) {
	t.Parallel()
	s := &template.Schema{Kind: "thing"}
	for c := template.Bool; c.Valid(); c++ {
		s.Fields = append(s.Fields, template.Field{Name: "a_" + c.String(), Class: c})
	}
	db := mirrorRows(t, s, map[string]any{
		"a_bool": true, "a_int": int64(-5), "a_uint": uint64(math.MaxUint64), "a_float": 2.5, "a_string": "it's \\ \t",
		"a_bytes": []byte{0, 255}, "a_time": time.Date(2024, 2, 29, 12, 0, 0, 123456789, time.UTC),
		"a_duration": 90 * time.Second,
		"a_list":     []any{int64(1), "two", nil}, "a_map": map[string]any{"k": 1.5}, "a_struct": map[string]any{"name": "x"},
	}, nil)
	for _, where := range []string{
		`a_bool`, `a_int + 5 = 0`, `a_uint = 18446744073709551615`, `a_float * 2 = 5`, `a_string = E'it\'s \\ \t'`,
		`a_bytes = '\x00ff'`, `a_time = '2024-02-29 13:00:00.123456+01'`, `make_interval(secs => a_duration / 1e9) = '90 s'`,
		`a_list = '[1, "two", null]'`, `(a_map ->> 'k')::float = 1.5`, `a_struct @> '{"name": "x"}'`, `_id = 1
			AND _expires IS NULL`,
	} {
		var n int
		require.NoError(t, db.QueryRow(`SELECT count(*) FROM space_test.thing WHERE `+where).Scan(&n), where)
		require.Equal(t, 1, n, where)
	}
	var nulls int
	require.NoError(t, db.QueryRow(`SELECT count(*) FROM space_test.thing t WHERE _id = 2 AND num_nonnulls(VARIADIC
		ARRAY[a_bool::text, a_int::text, a_uint::text, a_float::text, a_string, a_bytes::text, a_time::text, a_duration::text,
		a_list::text, a_map::text, a_struct::text]) = 0`).Scan(&nulls))
	require.Equal(t, 1, nulls)
}

func TestColumns_TimesOutOfRangeAreInfinite(t *testing.T) {
	t.Parallel()
	s := &template.Schema{Kind: "t", Fields: []template.Field{{Name: "at", Class: template.Time}}}
	times := map[string]time.Time{
		"0001-01-01 00:00:00":           {},
		"0001-12-31 23:59:59.999999 BC": time.Unix(-62135596801, 999999999),
		"4714-11-24 00:00:00 BC":        time.Unix(-210866803200, 0),
		"-infinity":                     time.Unix(-210866803201, 0),
		"294276-12-31 23:59:59.999999":  time.Unix(9224318015999, 999999999),
		"infinity":                      time.Unix(9224318016000, 0),
	}
	var rows []map[string]any
	var want []string
	for text, at := range times {
		rows, want = append(rows, map[string]any{"at": at}), append(want, text)
	}
	db := mirrorRows(t, s, rows...)
	require.ElementsMatch(t, want, column(t, db, `SELECT (at AT TIME ZONE 'UTC')::text FROM space_test.t`))
}

// column returns the texts that a query selects.
func column(t *testing.T, db *sql.DB, query string) []string {
	t.Helper()
	rows, err := db.Query(query)
	require.NoError(t, err)
	defer rows.Close()
	var got []string
	for rows.Next() {
		var s string
		require.NoError(t, rows.Scan(&s))
		got = append(got, s)
	}
	require.NoError(t, rows.Err())
	return got
}

func TestColumns_AnIntegerThatDoesNotFitWidensItsColumn(t *testing.T) {
	t.Parallel()
	dsn, db := newDatabase(t)
	log := newMemLog()
	unsigned := &template.Schema{
		Kind:   "Job",
		Fields: []template.Field{{Name: "id", Class: template.Uint}, {Name: "state", Class: template.String}},
	}
	ids := func() []string {
		return column(t, db, `SELECT id::text FROM space_test."Job" ORDER BY _id`)
	}
	w, stop := start(t, log, writeback.Config{DSN: dsn})
	log.Append(appendJobs(t, kindRecord(1, job), 1, 2))
	require.NoError(t, w.Flush(t.Context()))
	log.Append(record.AppendPut(nil, 3, 1, forever, row(t, unsigned, map[string]any{"id": uint64(math.MaxUint64)})))
	require.NoError(t, w.Flush(t.Context()))
	require.Equal(t, []string{"1", "2", "18446744073709551615"}, ids())
	stop()

	w, _ = start(t, log, writeback.Config{DSN: dsn}) // it knows the current column
	more := &template.Schema{
		Kind:   "Job",
		Fields: append(job.Fields[:2:2], template.Field{Name: "note", Class: template.String}),
	}
	group := record.AppendPut(kindRecord(1, more), 4, 1, forever,
		row(t, unsigned, map[string]any{"id": uint64(math.MaxUint64 - 1)}))
	log.Append(record.AppendPut(group, 5, 1, forever, row(t, job, map[string]any{"id": int64(math.MinInt64)})))
	require.NoError(t, w.Flush(t.Context()))
	require.Equal(t, []string{"1", "2", "18446744073709551615", "18446744073709551614", "-9223372036854775808"}, ids())
}

// The rows are the largest possible: PostgreSQL keeps 24 bytes of a text in the row, and moves the rest out of it.
func TestColumns_FieldsBeyondTheBoundShareOne(t *testing.T) {
	t.Parallel()
	dsn, db := newDatabase(t)
	log := newMemLog()
	w, _ := start(t, log, writeback.Config{DSN: dsn})
	s := &template.Schema{Kind: "wide"}
	for i := range template.MaxFields {
		s.Fields = append(s.Fields, template.Field{Name: fmt.Sprintf("f%d", i), Class: template.String})
	}
	id := uint64(0)
	for _, n := range []int{299, 301, template.MaxFields} {
		grown := &template.Schema{Kind: "wide", Fields: s.Fields[:n]}
		group := kindRecord(1, grown)
		for _, size := range []int{23, 24, 200, 3000} {
			fields := make(map[string]any)
			for _, f := range grown.Fields {
				fields[f.Name] = strings.Repeat(strconv.Itoa(int(id)%10), size)
			}
			id++
			group = record.AppendPut(group, id, 1, forever, row(t, grown, fields))
		}
		log.Append(group)
		require.NoError(t, w.Flush(t.Context()))
	}
	require.Equal(t, []string{"4 0", "4 1", "4 724"}, column(t, db, `SELECT concat_ws(' ', count(*), more) FROM (SELECT
		(SELECT count(*) FROM jsonb_object_keys(_more)) AS more FROM space_test.wide WHERE f298 IS NOT NULL) w GROUP BY more
		ORDER BY more`))
	require.Equal(t, []string{"23"},
		column(t, db, `SELECT length(_more ->> 'f1023')::text FROM space_test.wide WHERE _id = 9`))
}

// These are the queries of docs/sql.md.
func TestColumns_QueriesOfTheManual(t *testing.T) {
	t.Parallel()
	s := &template.Schema{Kind: "Job", Fields: []template.Field{
		{Name: "state", Class: template.String},
		{Name: "took", Class: template.Duration},
		{Name: "tags", Class: template.List},
		{Name: "address", Class: template.Struct},
	}}
	db := mirrorRows(t, s,
		map[string]any{"state": "new", "tags": []any{"urgent"}, "address": map[string]any{"city": "Berlin"}})
	for _, query := range []string{
		`SELECT count(*) FROM space_test."Job" GROUP BY state`,
		`SELECT _id FROM space_test."Job" ORDER BY _id LIMIT 10`,
		`SELECT table_name FROM gospaces.kinds WHERE space = 'test'`,
		`SELECT position FROM gospaces.positions WHERE updated_at <= now()`,
		`SELECT _id FROM space_test."Job" WHERE tags ? 'urgent' AND address ->> 'city' = 'Berlin'`,
		`SELECT _id FROM space_test."Job" WHERE _expires IS NULL OR _expires > now()`,
	} {
		require.Len(t, column(t, db, query), 1, query)
	}
}
