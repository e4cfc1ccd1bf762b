package writeback_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/writeback"
)

// readTables returns the kinds and entries in the tables of a partition of a space.
func readTables(t *testing.T, dsn string, partition int,
) (kinds map[uint32]*template.Schema, dropped map[uint32]bool, entries map[uint64]entry) {
	t.Helper()
	tables, err := writeback.OpenTables(t.Context(), dsn, "test", false)
	require.NoError(t, err)
	defer tables.Close()
	kinds, dropped, entries = map[uint32]*template.Schema{}, map[uint32]bool{}, map[uint64]entry{}
	read := uint64(0)
	require.NoError(t, tables.Parts()[partition].Records(func(records []byte, n uint64) error {
		read += n
		var r record.Record
		for rest := append([]byte(nil), records...); len(rest) > 0; {
			var err error
			rest, err = record.Next(rest, &r)
			require.NoError(t, err)
			if r.Op == record.Kind {
				kinds[r.Kind], err = template.DecodeSchema(r.Body)
				require.NoError(t, err)
				continue
			}
			if r.Op == record.Drop {
				require.Contains(t, kinds, r.Kind)
				dropped[r.Kind] = true
				continue
			}
			require.Equal(t, record.Entry, r.Op)
			require.NotContains(t, entries, r.ID)
			entries[r.ID] = entry{kind: r.Kind, expires: r.Expires, visible: r.Visible, row: template.Row(r.Body)}
		}
		return nil
	}))
	require.EqualValues(t, len(entries), read)
	return kinds, dropped, entries
}

// requireLoadable fails the test unless the tables hold the entries of m, which is a partition of a space, exactly.
func requireLoadable(t *testing.T, dsn string, partition int, m *model) {
	t.Helper()
	kinds, dropped, entries := readTables(t, dsn, partition)
	require.Equal(t, m.dropped, dropped)
	for kind, s := range m.kinds {
		require.Equal(t, s.Kind, kinds[kind].Kind)
		require.Equal(t, len(s.Fields), len(kinds[kind].Fields))
	}
	want := 0
	for id, e := range m.entries {
		if m.mode(e.kind) == writeback.None || e.how != "" {
			require.NotContains(t, entries, id)
			continue
		}
		want++
		got, ok := entries[id]
		require.True(t, ok, id)
		require.Equal(t, string(e.row), string(got.row), "entry %d", id)
		if e.expires == math.MaxInt64 {
			require.Equal(t, e.expires, got.expires)
			continue
		}
		require.Equal(t, e.expires/1000*1000+999, got.expires, "a lease ends with the microsecond that it would end in")
	}
	require.Len(t, entries, want)
}

func TestTables_TellRandomProgramsExactly(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2) {
		dsn, _ := newDatabase(t)
		log, g, m := newMemLog(), newGenerator(900+seed), newModel()
		m.modes = map[string]writeback.Mode{"Kind 1": writeback.Append, "Kind 2": writeback.None}
		w, stop := start(t, log, writeback.Config{DSN: dsn, Modes: m.modes, BatchRecords: 300})
		for range 60 {
			follow(t, log, m, g.group(1+g.IntN(50)))
		}
		require.NoError(t, w.Flush(t.Context()))
		requireLoadable(t, dsn, 0, m)
		stop()
	}
}

// everyClass has a field of each class, and further fields beyond those with columns of their own.
func everyClass() *template.Schema {
	s := &template.Schema{Kind: "thing", Supers: []string{"base"}}
	for c := template.Bool; c.Valid(); c++ {
		s.Fields = append(s.Fields, template.Field{Name: "a_" + c.String(), Class: c})
	}
	for len(s.Fields) < 300 {
		s.Fields = append(s.Fields, template.Field{Name: fmt.Sprintf("f%d", len(s.Fields)), Class: template.Bool})
	}
	for c := template.Bool; c.Valid(); c++ {
		s.Fields = append(s.Fields, template.Field{Name: "b_" + c.String(), Class: c, Role: template.ID})
	}
	return s
}

// extremes are values of each class that are difficult for SQL or JSON.
func extremes() map[template.Class][]any {
	nested := []any{
		"", "\x00\xff", int64(-1), uint64(math.MaxUint64), 1.0, 1.5, 1e300, 1e-300, math.NaN(), math.Inf(-1), true, nil,
		[]byte{0, 1},
		time.Unix(1, 1).UTC(), time.Minute,
		[]any{},
		[]any{nil, []any{1.0}},
		map[string]any{},
		map[string]any{"b": int64(1), "aa": 1.0, "\x00": nil},
		template.Pairs{{Key: int64(1), Value: "x"}, {Key: "1", Value: "y"}},
		template.Pairs{{Key: time.Unix(5, 5).UTC(), Value: time.Hour}},
	}
	return map[template.Class][]any{
		template.Bool: {true, false}, template.Int: {int64(0), int64(math.MinInt64), int64(math.MaxInt64), int64(-10000)},
		template.Uint: {uint64(0), uint64(9999), uint64(10000), uint64(100000000), uint64(math.MaxUint64)},
		template.Float: {
			0.0, math.NaN(), math.Inf(1), math.Inf(-1), math.SmallestNonzeroFloat64, math.MaxFloat64, -1.5, 3.0,
			1e21,
		},
		template.String: {"", "\x00", "a\xffb", `{"a":1}`, "\\\n\t", "日本"}, template.Bytes: {[]byte{}, []byte{0, 255}},
		template.Time: {
			time.Time{},
			time.Unix(0, 0), time.Unix(1.7e9, 123456000), time.Unix(1.7e9, 123456789), time.Unix(-62135596801, 999999999),
			time.Unix(1e12, 0), time.Unix(-1e15, 0),
			time.Unix(-210866803200, 0), time.Unix(-210866803201, 0), time.Unix(9224318015999, 999999999),
			time.Unix(9224318016000, 0), time.Unix(math.MaxInt64>>1, 0),
		},
		template.Duration: {time.Duration(0), time.Duration(math.MinInt64), time.Nanosecond},
		template.List:     {[]any{}, nested},
		template.Map:      {map[string]any{}, map[string]any{"n": nested}, template.Pairs{{Key: 2.0, Value: nil}}},
		template.Struct:   {map[string]any{}, map[string]any{"a": "x", "b": int64(2)}, map[string]any{"n": nested}},
	}
}

func TestTables_TellEveryClassExactly(t *testing.T) {
	t.Parallel()
	s := everyClass()
	m, log := newModel(), newMemLog()
	group := kindRecord(1, s)
	put := func(fields map[string]any) {
		group = record.AppendPut(group, uint64(1+len(m.entries)), 1, forever, row(t, s, fields))
		require.NoError(t, m.apply(group))
	}
	put(nil)
	for class, values := range extremes() {
		for _, v := range values {
			put(map[string]any{"a_" + class.String(): v})
			put(map[string]any{"b_" + class.String(): v, "f20": true})
		}
	}
	log.Append(group)
	dsn, _ := newDatabase(t)
	w, _ := start(t, log, writeback.Config{DSN: dsn})
	require.NoError(t, w.Flush(t.Context()))
	requireLoadable(t, dsn, 0, m)
	kinds, _, _ := readTables(t, dsn, 0)
	require.Equal(t, map[uint32]*template.Schema{1: s}, kinds)
}

// jobs mirrors jobs and returns the database, and a function that changes it.
func jobs(t *testing.T, n int) (dsn string, exec func(string)) {
	t.Helper()
	dsn, db := newDatabase(t)
	log := newMemLog()
	log.Append(appendJobs(t, kindRecord(1, job), 1, n))
	w, stop := start(t, log, writeback.Config{DSN: dsn})
	require.NoError(t, w.Flush(t.Context()))
	stop()
	return dsn, func(query string) {
		t.Helper()
		_, err := db.Exec(query)
		require.NoError(t, err, query)
	}
}

func TestTables_WhatPeopleHaveChangedCounts(t *testing.T) {
	t.Parallel()
	dsn, db := newDatabase(t)
	s := everyClass()
	odd := map[string]any{
		"a_string": "\x00", "a_time": time.Unix(1, 1), "a_list": []any{1.0}, "a_map": map[string]any{"t": time.Minute},
		"b_string": "\x00", "b_time": time.Unix(1, 1), "b_bytes": []byte{1}, "b_float": 1.0, "b_duration": time.Minute,
		"a_int": int64(1), "a_uint": uint64(2),
	}
	log := newMemLog()
	log.Append(record.AppendPut(kindRecord(1, s), 1, 1, forever, row(t, s, odd)))
	w, stop := start(t, log, writeback.Config{DSN: dsn})
	require.NoError(t, w.Flush(t.Context()))
	stop()
	_, err := db.Exec(`UPDATE space_test.thing SET a_string = 'x', a_time = '2020-01-01Z', a_list = '[ 2 ,"y"]',
		a_map = NULL, a_uint = -7, a_int = NULL, a_bool = true,
		_more = '{"b_string": "z", "b_time": "2020-01-01T00:00:00.5Z", "b_bytes": "AAE=",
			"b_float": 2, "b_duration": 3, "b_list": [null]}', _expires = '2100-01-01Z'`)
	require.NoError(t, err)
	_, _, entries := readTables(t, dsn, 0)
	require.Equal(t, map[string]any{
		"a_string": "x", "a_time": time.Unix(1577836800, 0).UTC(), "a_list": []any{int64(2), "y"}, "a_uint": int64(-7),
		"a_bool":   true,
		"b_string": "z", "b_time": time.Unix(1577836800, 5e8).UTC(), "b_bytes": []byte{0, 1}, "b_float": 2.0,
		"b_duration": time.Duration(3), "b_list": []any{nil},
	}, entries[1].row.Map(s))
	require.Equal(t, time.Date(2100, 1, 1, 0, 0, 0, 999, time.UTC).UnixNano(), entries[1].expires)
	for change, want := range map[string]string{
		`a_time = 'infinity'`: `row 1: column "a_time": it does not fit the schema`,
		`a_list = '{"a": 1}'`: `row 1: column "a_list": it does not fit the schema: map instead of list`,
		`_more = '{"b_time": "noon"}'`: `row 1: column "_more": field "b_time": it does not fit the schema: ` +
			`string instead of time`,
	} {
		_, err := db.Exec(`UPDATE space_test.thing SET a_time = NULL, a_list = NULL, _more = NULL;
			UPDATE space_test.thing SET ` + change)
		require.NoError(t, err)
		require.ErrorContains(t, failsToRead(t, dsn), want)
	}
}

// failsToRead returns the error of reading the tables of jobs.
func failsToRead(t *testing.T, dsn string) error {
	t.Helper()
	tables, err := writeback.OpenTables(t.Context(), dsn, "test", false)
	if err != nil {
		return err
	}
	defer tables.Close()
	return tables.Parts()[0].Records(func([]byte, uint64) error { return nil })
}

func TestTables_SayWhatIsWrong(t *testing.T) {
	t.Parallel()
	for damage, want := range map[string]string{
		`UPDATE space_test."Job" SET _id = -2 WHERE _id = 2`: `read space_test."Job": row 0: ` +
			`it does not fit the schema: column "_id" is no identity of an entry`,
		`ALTER TABLE space_test."Job" DROP COLUMN state`: `tables were changed by others: ` +
			`column "state" of "space_test"."Job" is gone`,
		`ALTER TABLE space_test."Job" ALTER COLUMN id TYPE text`: `has type text instead of bigint`,
		`DROP TABLE space_test."Job"`:                            `table "space_test"."Job" is gone`,
		`UPDATE gospaces.kinds SET kind = 2`: `gospaces.kinds lacks kind 1 of space "test": ` +
			`its entries cannot be read`,
		`UPDATE gospaces.kinds SET complete = false`:    `tables lack rows that the space had: ["space_test"."Job"]`,
		`DELETE FROM gospaces.positions`:                `holds no mirror of the space: space "test"`,
		`DROP SCHEMA gospaces CASCADE`:                  `holds no mirror of the space`,
		`DROP TABLE space_test._dead_letters`:           `holds no mirror of the space`,
		`UPDATE gospaces.kinds SET definition = '\x00'`: `read kind 1`,
		`INSERT INTO gospaces.kinds
			SELECT space, 0, 2, 'Other', 'Job', definition FROM gospaces.kinds`: `another table has an entry 1 too`,
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			dsn, exec := jobs(t, 3)
			require.NoError(t, failsToRead(t, dsn))
			exec(damage)
			err := failsToRead(t, dsn)
			require.ErrorContains(t, err, strings.ReplaceAll(want, `read space_test."Job"`, `read "space_test"."Job"`))
			require.NotContains(t, err.Error(), "\n")
		})
	}
	_, err := writeback.OpenTables(t.Context(), "host=/nowhere", "test", false)
	require.ErrorContains(t, err, "connect: ")
	dsn, _ := newDatabase(t)
	_, err = writeback.Spaces(t.Context(), dsn)
	require.ErrorIs(t, err, writeback.ErrNoMirror)
}

// Refused changes are read as the space had them.
func TestTables_DeadLettersTellTheDifference(t *testing.T) {
	t.Parallel()
	dsn, db := newDatabase(t)
	log, m := newMemLog(), newModel()
	w, stop := start(t, log, writeback.Config{DSN: dsn})
	follow(t, log, m, appendJobs(t, kindRecord(1, job), 1, 9))
	require.NoError(t, w.Flush(t.Context()))
	_, err := db.Exec(`CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'
		USING ERRCODE = 'check_violation'; END $$;
		CREATE TRIGGER no BEFORE INSERT OR UPDATE OR DELETE ON space_test."Job" FOR EACH ROW EXECUTE FUNCTION no()`)
	require.NoError(t, err)
	group := record.AppendRemove(appendJobs(t, nil, 10, 2), 1, 1, record.Taken)
	group = record.AppendRenew(record.AppendRenew(group, 2, 1, 2e18), 10, 1, 2e18)
	group = record.AppendPutLater(group, 12, 1, forever, later, jobRow(t, 12, "later"))
	follow(t, log, m,
		record.AppendChange(group, 3, 1, 3e18, row(t, job, map[string]any{"id": int64(33), "state": "\x00"})))
	require.NoError(t, w.Flush(t.Context()))
	require.Equal(t, 6, w.Stats().DeadLetters)
	stop()
	_, _, entries := readTables(t, dsn, 0)
	require.Len(t, entries, len(m.entries))
	for id, e := range m.entries {
		require.Equal(t, string(e.row), string(entries[id].row), id)
		require.InDelta(t, e.expires, entries[id].expires, 1000)
	}
	require.InDelta(t, later, entries[12].visible, 1000)
	require.Zero(t, entries[10].visible)
}

// later is a time after the test.
const later = 4e18

// heirLog is the log of a loaded space.
type heirLog struct {
	*memLog
	origin writeback.Origin
}

func (l heirLog) Origin() (writeback.Origin, bool) { return l.origin, l.origin.At != 0 }

func TestHeir_TheMirrorGoesOnWithoutWritingWhatIsThere(t *testing.T) {
	t.Parallel()
	dsn, db := newDatabase(t)
	old, m := newMemLog(), newModel()
	follow(t, old, m, appendJobs(t, kindRecord(1, job), 1, 5))
	w, run := newWriter(t, old, writeback.Config{DSN: dsn})
	ended := make(chan error, 1)
	go func() { ended <- run(t.Context()) }()
	require.NoError(t, w.Flush(t.Context()))

	tables, err := writeback.OpenTables(t.Context(), dsn, "test", false)
	require.NoError(t, err)
	incarnation, position := tables.Parts()[0].Log()
	require.EqualValues(t, 5, tables.Parts()[0].Highest())
	tables.Close()
	origin := writeback.Origin{Incarnation: incarnation, Position: position, At: 1, Highest: 5}
	log := heirLog{&memLog{incarnation: "B", changed: make(chan struct{})}, origin}
	log.Append(nil) // before the image
	for name, wrong := range map[string]writeback.Origin{
		"another log":   {Incarnation: "C", Position: position, At: 1},
		"another state": {Incarnation: incarnation, Position: position - 1, At: 1}, "none": {},
	} {
		_, run := newWriter(t, heirLog{log.memLog, wrong}, writeback.Config{DSN: dsn})
		require.ErrorIs(t, run(t.Context()), writeback.ErrOtherLog, name)
	}

	before := column(t, db, `SELECT xmin::text FROM space_test."Job" ORDER BY _id`)
	follow(t, log.memLog, m, record.AppendRemove(appendJobs(t, nil, 6, 1), 5, 1, record.Taken))
	for range 2 { // and so does the next session
		heir, stop := start(t, log, writeback.Config{DSN: dsn})
		require.NoError(t, heir.Flush(t.Context()))
		requireMirror(t, db, "test", m)
		require.LessOrEqual(t, heir.Stats().RowsWritten, uint64(1))
		stop()
	}
	require.Equal(t, before[:4], column(t, db, `SELECT xmin::text FROM space_test."Job" WHERE _id < 5 ORDER BY _id`))

	old.Append(appendJobs(t, nil, 7, 1))
	require.ErrorIs(t, <-ended, writeback.ErrOtherLog, "who mirrored the old log all the time has nothing to say any more")
	requireMirror(t, db, "test", m)
}
