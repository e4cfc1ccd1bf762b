package writeback_test

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
	"github.com/gospaces/gospaces/writeback"
)

// parted is a space of several partitions that is mirrored: a log, a program and a model for each.
type parted struct {
	t    *testing.T
	dsn  string
	db   *sql.DB
	cfg  writeback.Config
	logs []*memLog
	gens []*generator
	ms   []*model

	writers []*writeback.Writer
	stops   []func()
}

func newParted(t *testing.T, cfg writeback.Config, n int, seed uint64) *parted {
	x := &parted{t: t, cfg: cfg, writers: make([]*writeback.Writer, n), stops: make([]func(), n)}
	x.dsn, x.db = newDatabase(t)
	x.cfg.DSN, x.cfg.Partitions = x.dsn, n
	for p := range n {
		g, m := newGenerator(seed*100+uint64(p)), newModel()
		g.next += txn.IDBase(uint16(p))
		m.modes = cfg.Modes
		x.logs, x.gens, x.ms = append(x.logs, newMemLog()), append(x.gens, g), append(x.ms, m)
	}
	return x
}

func (x *parted) start(p int) {
	cfg := x.cfg
	cfg.Partition = p
	x.writers[p], x.stops[p] = start(x.t, x.logs[p], cfg)
}

func (x *parted) startAll() {
	for p := range x.logs {
		x.start(p)
	}
}

// follow has a partition change.
func (x *parted) follow(p int, group []byte) { follow(x.t, x.logs[p], x.ms[p], group) }

func (x *parted) flush() {
	x.t.Helper()
	for _, w := range x.writers {
		require.NoError(x.t, w.Flush(x.t.Context()))
	}
}

// differs returns an error that describes a difference between the tables and the partitions, or nil.
func (x *parted) differs() error {
	for p, m := range x.ms {
		if err := partDiffers(x.db, p, len(x.ms), m); err != nil {
			return fmt.Errorf("partition %d: %w", p, err)
		}
	}
	return nil
}

// partDiffers is differs for the entries of a partition, in the tables that the catalog names.
func partDiffers(db *sql.DB, p, partitions int, m *model) error {
	want, got := make(map[string]string), make(map[string]string)
	read := make(map[string]bool)
	tables := make(map[uint32]string)
	for kind, s := range m.kinds {
		var table string
		if err := db.QueryRow(`SELECT table_name FROM gospaces.kinds WHERE space = 'test' AND partition = $1 AND kind = $2`,
			p,
			kind).Scan(&table); err != nil {
			return fmt.Errorf("kind %d: %w", kind, err)
		}
		tables[kind] = table
		if table == "" || m.mode(kind) == writeback.None || m.dropped[kind] || read[table] {
			continue
		}
		read[table] = true
		if err := readTable(db, "test", table, s, got); err != nil {
			return err
		}
	}
	for id, e := range m.entries {
		if m.mode(e.kind) != writeback.None && !m.dropped[e.kind] {
			want[fmt.Sprintf("%s/%d", tables[e.kind], id)] = expectedRow(m.kinds[e.kind], e)
		}
	}
	for key := range got {
		var id uint64
		if _, err := fmt.Sscan(key[strings.LastIndexByte(key, '/')+1:], &id); err != nil {
			return err
		}
		if int(txn.PartitionOf(id)) != p || m.entries[id].how != "" && m.dropped[m.entries[id].kind] {
			continue
		}
		if want[key] == "" {
			return fmt.Errorf("%s should not be there", key)
		}
	}
	for key, row := range want {
		if got[key] != row {
			return fmt.Errorf("%s is\n%s\ninstead of\n%s", key, got[key], row)
		}
	}
	return nil
}

func (x *parted) requireMirror() {
	x.t.Helper()
	require.NoError(x.t, x.differs())
}

// Random programs over the partitions of a space, whose kinds have the same names, and fields that are alike or not. At
// times a writer is stopped, or runs twice.
func TestParted_MirrorsRandomPrograms(t *testing.T) {
	overLanes(t, func(t *testing.T, cfg writeback.Config) {
		for _, alike := range []bool{true, false} {
			cfg.Modes = writeback.Modes{"Kind 2": writeback.Append}
			cfg.BatchRecords = 300
			x := newParted(t, cfg, 3, 5)
			r := rand.New(rand.NewPCG(9, 9))
			for _, g := range x.gens {
				g.alike = alike
			}
			x.startAll()
			for i := range 150 {
				p := r.IntN(3)
				x.follow(p, x.gens[p].group(1+r.IntN(50)))
				if i%40 == 20 {
					x.stops[p]()
					x.start(p)
				}
				if i%50 == 49 {
					x.flush()
					x.requireMirror()
				}
			}
			x.flush()
			x.requireMirror()
			for p, stop := range x.stops {
				stop()
				requireLoadable(t, x.dsn, p, x.ms[p])
			}
			left, err := x.tables()
			require.NoError(t, err)
			t.Log("tables:", left)
		}
	})
}

// tables returns the tables of kinds in the schema of the space.
func (x *parted) tables() ([]string, error) {
	rows, err := x.db.Query(`SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace('space_test')
		AND relkind = 'r' AND relname <> '_dead_letters' ORDER BY 1`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Err()
}

// jobsOf appends to b puts of n jobs of a partition, the first of them the first of that number.
func jobsOf(t *testing.T, b []byte, p, first, n int) []byte {
	t.Helper()
	for i := first; i < first+n; i++ {
		b = record.AppendPut(b, txn.IDBase(uint16(p))+uint64(i), 1, forever,
			row(t, job, map[string]any{"id": int64(i), "state": "new"}))
	}
	return b
}

func TestParted_PartitionsShareTablesThatFit(t *testing.T) {
	t.Parallel()
	x := newParted(t, writeback.Config{}, 3, 1)
	x.startAll()
	more := &template.Schema{
		Kind:   "Job",
		Fields: append([]template.Field{{Name: "prio", Class: template.Int}}, job.Fields...),
	}
	other := &template.Schema{Kind: "Job", Fields: []template.Field{{Name: "id", Class: template.String}}}
	x.follow(0, jobsOf(t, kindRecord(1, job), 0, 1, 2))
	x.flush()
	x.follow(1, kindRecord(1, more))
	x.follow(1,
		record.AppendPut(nil, txn.IDBase(1)+1, 1, forever, row(t, more, map[string]any{"id": int64(7), "prio": int64(3)})))
	x.follow(2, kindRecord(1, other))
	x.follow(2, record.AppendPut(nil, txn.IDBase(2)+1, 1, forever, row(t, other, map[string]any{"id": "seven"})))
	x.flush()
	x.requireMirror()
	names := column(t, x.db, `SELECT table_name FROM gospaces.kinds ORDER BY partition`)
	require.Equal(t, []string{"Job", "Job"}, names[:2])
	require.NotEqual(t, "Job", names[2], "a field of another class needs another table")
	require.Equal(t, []string{"1 ", "2 ", "7 3"}, column(t, x.db,
		`SELECT concat(id, ' ', prio) FROM space_test."Job" ORDER BY _id`))

	// A value that needs a wider column widens it for all.
	wide := &template.Schema{Kind: "Job", Fields: []template.Field{
		{Name: "prio", Class: template.Int}, {Name: "id", Class: template.Int}, {Name: "state", Class: template.String},
	}}
	x.follow(1, record.AppendPut(nil, txn.IDBase(1)+2, 1, forever,
		row(t, wide, map[string]any{"id": uint64(1 << 63)})))
	x.follow(0, jobsOf(t, nil, 0, 3, 1))
	x.flush()
	x.stops[0]()
	x.start(0)
	x.follow(0, jobsOf(t, nil, 0, 4, 1))
	x.flush()
	x.requireMirror()
	require.Equal(t, []string{"1", "2", "3", "4", "7", "9223372036854775808"},
		column(t, x.db, `SELECT id FROM space_test."Job" ORDER BY _id`))
	for p := range x.ms {
		require.Empty(t, x.writers[p].Stats().Incomplete)
		x.stops[p]()
		requireLoadable(t, x.dsn, p, x.ms[p])
	}
}

func TestParted_ADroppedKindLeavesItsTableWithItsLastPartition(t *testing.T) {
	t.Parallel()
	x := newParted(t, writeback.Config{}, 2, 1)
	x.startAll()
	for p := range x.logs {
		x.follow(p, jobsOf(t, kindRecord(1, job), p, 1, 2))
	}
	x.flush()
	drop := func(p int) {
		for i := range uint64(2) {
			x.follow(p, record.AppendRemove(nil, txn.IDBase(uint16(p))+i+1, 1, record.Taken))
		}
		x.follow(p, record.AppendDrop(nil, 1))
	}
	drop(0)
	x.flush()
	await(t, func() bool {
		return column(t, x.db, `SELECT table_name FROM gospaces.kinds WHERE partition = 0`)[0] == ""
	})
	require.Equal(t, []string{"2"}, column(t, x.db, `SELECT count(*) FROM space_test."Job"`))
	drop(1)
	x.flush()
	await(t, func() bool {
		left, err := x.tables()
		require.NoError(t, err)
		return len(left) == 0
	})
	x.follow(1, kindRecord(2, job))
	x.follow(1, record.AppendPut(nil, txn.IDBase(1)+9, 2, forever, row(t, job, map[string]any{"id": int64(1)})))
	x.flush()
	x.requireMirror()
}

// await waits until a condition holds.
func await(t *testing.T, holds func() bool) {
	t.Helper()
	require.Eventually(t, holds, time.Minute, 10*time.Millisecond)
}

// Whatever is done to the tables, each partition has its rows in the end.
func TestParted_DamagedTablesAreMadeAnew(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]string{
		"table dropped":       `DROP TABLE space_test."Job"`,
		"column dropped":      `ALTER TABLE space_test."Job" DROP COLUMN state`,
		"text made integer":   `ALTER TABLE space_test."Job" ALTER COLUMN state TYPE int USING 1`,
		"kinds forgotten":     `DELETE FROM gospaces.kinds`,
		"kinds of one":        `DELETE FROM gospaces.kinds WHERE partition = 1`,
		"positions forgotten": `DELETE FROM gospaces.positions`,
		"position of one":     `DELETE FROM gospaces.positions WHERE partition = 0`,
		"everything dropped":  `DROP SCHEMA space_test CASCADE; DROP SCHEMA gospaces CASCADE`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newParted(t, writeback.Config{PingInterval: 10 * time.Millisecond, RefillInterval: 10 * time.Millisecond}, 2, 1)
			x.startAll()
			for p := range x.logs {
				x.follow(p, jobsOf(t, kindRecord(1, job), p, 1, 5))
			}
			x.flush()
			_, err := x.db.Exec(damage)
			require.NoError(t, err)
			x.follow(0, record.AppendRemove(nil, 2, 1, record.Taken))
			x.follow(1, jobsOf(t, nil, 1, 6, 1))
			await(t, func() bool { return x.differs() == nil })
		})
	}
}

func TestParted_RefusedRowsAreTriedAgain(t *testing.T) {
	t.Parallel()
	x := newParted(t, writeback.Config{}, 2, 1)
	x.startAll()
	for p := range x.logs {
		x.follow(p, jobsOf(t, kindRecord(1, job), p, 1, 1))
	}
	x.flush()
	_, err := x.db.Exec(`ALTER TABLE space_test."Job" ADD CONSTRAINT refuse CHECK (id < 2)`)
	require.NoError(t, err)
	for p := range x.logs {
		x.follow(p, jobsOf(t, nil, p, 2, 2))
	}
	x.flush()
	for _, w := range x.writers {
		require.Equal(t, 2, w.Stats().DeadLetters, "each counts those of its own partition")
	}
	_, err = x.db.Exec(`ALTER TABLE space_test."Job" DROP CONSTRAINT refuse`)
	require.NoError(t, err)
	resolved, refused, err := openLetters(t, x.dsn).Retry(2, txn.IDBase(1)+2)
	require.NoError(t, err)
	require.Equal(t, []int{2, 0}, []int{resolved, refused})
	resolved, _, err = openLetters(t, x.dsn).Retry()
	require.NoError(t, err)
	require.Equal(t, 2, resolved)
	x.requireMirror()
}

func TestParted_TablesOfAPartitionThatWasNeverMirroredAreNoSpace(t *testing.T) {
	t.Parallel()
	x := newParted(t, writeback.Config{}, 2, 1)
	x.start(0)
	x.follow(0, jobsOf(t, kindRecord(1, job), 0, 1, 1))
	require.NoError(t, x.writers[0].Flush(t.Context()))
	_, err := writeback.OpenTables(t.Context(), x.dsn, "test", false)
	require.ErrorIs(t, err, writeback.ErrIncomplete)
	require.ErrorContains(t, err, "partition 1")
}
