package writeback_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/replication"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/writeback"
)

var order = &template.Schema{Kind: "Order", Fields: []template.Field{
	{Name: "id", Class: template.Int},
	{Name: "customer", Class: template.String},
	{Name: "state", Class: template.String},
	{Name: "priority", Class: template.Int},
	{Name: "amount", Class: template.Float},
	{Name: "created", Class: template.Time},
	{Name: "note", Class: template.String},
}}

const benchRows, benchGroup = 500_000, 500

func orderFields(i int) map[string]any {
	return map[string]any{
		"id": int64(i), "customer": fmt.Sprintf("customer-%d", i%1000), "state": "new", "priority": int64(i % 10),
		"amount": float64(i) / 100, "created": time.Unix(1.7e9, int64(i)*1e6), "note": strings.Repeat("x", 40),
	}
}

// orders appends benchRows puts to a log, each as its own call.
func orders(b *testing.B) *memLog {
	b.Helper()
	log := newMemLog()
	group := kindRecord(1, order)
	for i := range benchRows {
		group = record.AppendPut(group, uint64(i+1), 1, forever, row(b, order, orderFields(i)))
		if i%benchGroup == benchGroup-1 {
			log.Append(group)
			group = nil
		}
	}
	return log
}

func reportRows(b *testing.B, rows int) {
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkCatchUp writes a backlog of new entries to an empty database. Compare it with BenchmarkPlainCopy.
func BenchmarkCatchUp(b *testing.B) {
	log := orders(b)
	for b.Loop() {
		b.StopTimer()
		dsn, _ := newDatabase(b)
		b.StartTimer()
		w, stop := start(b, log, writeback.Config{DSN: dsn})
		require.NoError(b, w.Flush(b.Context()))
		b.StopTimer()
		require.EqualValues(b, benchRows, w.Stats().RowsWritten)
		stop()
		b.StartTimer()
	}
	reportRows(b, benchRows)
}

// BenchmarkUnderLoad mirrors a log in a folder while another goroutine appends new entries as fast as it can.
func BenchmarkUnderLoad(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		dsn, _ := newDatabase(b)
		store, err := replication.Open(b.Context(), replication.Config{Dir: b.TempDir()})
		require.NoError(b, err)
		log, err := store.Log(b.Context(), "test", 0)
		require.NoError(b, err)
		_, err = log.Claim(b.Context(), 0, record.Clock{})
		require.NoError(b, err)
		require.NoError(b, log.Append(append(make([]byte, record.HeaderSize), kindRecord(1, order)...)))
		w, stop := start(b, log, writeback.Config{DSN: dsn})
		ctx, cancel := context.WithCancel(b.Context())
		var appender sync.WaitGroup
		b.StartTimer()
		appender.Go(func() { appendOrders(ctx, b, log) })
		for w.Stats().RowsWritten < benchRows {
			time.Sleep(time.Millisecond)
		}
		b.StopTimer()
		cancel()
		appender.Wait()
		b.ReportMetric(float64(w.Stats().LagGroups*benchGroup), "rows-behind")
		stop()
		require.NoError(b, store.Close())
		b.StartTimer()
	}
	reportRows(b, benchRows)
}

// appendOrders appends new entries until ctx ends.
func appendOrders(ctx context.Context, b *testing.B, log *replication.Log) {
	for id := 1; ctx.Err() == nil; {
		msg := make([]byte, record.HeaderSize, 128<<10)
		for range benchGroup {
			r, err := template.RowFromMap(order, orderFields(id))
			if err != nil {
				b.Error(err)
				return
			}
			msg = record.AppendPut(msg, uint64(id), 1, forever, r)
			id++
		}
		if err := log.Append(msg); err != nil {
			b.Error(err)
			return
		}
	}
}

// BenchmarkRemove mirrors the removal of all those entries.
func BenchmarkRemove(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		log := orders(b)
		dsn, _ := newDatabase(b)
		w, stop := start(b, log, writeback.Config{DSN: dsn})
		require.NoError(b, w.Flush(b.Context()))
		stop()
		for i := 0; i < benchRows; i += benchGroup {
			var group []byte
			for k := range benchGroup {
				group = record.AppendRemove(group, uint64(i+k+1), 1, record.Taken)
			}
			log.Append(group)
		}
		b.StartTimer()
		w, stop = start(b, log, writeback.Config{DSN: dsn})
		require.NoError(b, w.Flush(b.Context()))
		b.StopTimer()
		require.EqualValues(b, benchRows, w.Stats().RowsDeleted)
		stop()
		b.StartTimer()
	}
	reportRows(b, benchRows)
}

// BenchmarkPlainCopy copies the same rows into an equal table in one transaction, from prepared lines, to measure the
// database alone; or, for comparison, through database/sql a row at a time.
func BenchmarkPlainCopy(b *testing.B) {
	chunks := orderLines()
	b.Run("lines", func(b *testing.B) {
		benchmarkCopy(b, func(conn *sql.Conn, _ *sql.Tx, query string) error {
			return conn.Raw(func(dc any) error { return copyLines(dc, query, chunks) })
		})
	})
	b.Run("exec", func(b *testing.B) {
		benchmarkCopy(b, func(_ *sql.Conn, tx *sql.Tx, query string) error { return copyExec(tx, query) })
	})
}

// orderLines returns the rows of orders as lines, in chunks.
func orderLines() []string {
	var chunks []string
	var chunk strings.Builder
	for i := range benchRows {
		f := orderFields(i)
		fmt.Fprintf(&chunk, "%d\t\\N\t\\N\t%d\t%s\t%s\t%d\t%g\t%s\t%s\t\\N",
			i+1, f["id"], f["customer"], f["state"], f["priority"], f["amount"],
			f["created"].(time.Time).UTC().Format("2006-01-02 15:04:05.999999+00"), f["note"])
		if chunk.Len() > 60<<10 || i == benchRows-1 {
			chunks = append(chunks, chunk.String())
			chunk.Reset()
			continue
		}
		chunk.WriteByte('\n')
	}
	return chunks
}

// BenchmarkLanes writes a backlog of new entries to an empty database over several connections, and compares that with
// copying prepared lines of the same rows over as many connections at once. Each round measures all variants in turn;
// the result is the ratio of the rates: n lanes against n copying connections, and one lane against the best of those.
func BenchmarkLanes(b *testing.B) {
	log, chunks := orders(b), orderLines()
	copying, catching := make(map[int]time.Duration), make(map[int]time.Duration)
	for b.Loop() {
		for _, n := range []int{1, 2, 4} {
			if n > 1 {
				copying[n] += parallelCopy(b, chunks, n)
			}
			catching[n] += catchUp(b, log, n)
		}
	}
	rate := func(d time.Duration) float64 { return float64(benchRows*b.N) / d.Seconds() }
	for _, n := range []int{1, 2, 4} {
		best := min(copying[2], copying[4])
		if n > 1 {
			best = copying[n]
			b.ReportMetric(rate(copying[n]), fmt.Sprintf("rows/s-copy-%d", n))
		}
		b.ReportMetric(rate(catching[n]), fmt.Sprintf("rows/s-lanes-%d", n))
		b.ReportMetric(best.Seconds()/catching[n].Seconds(), fmt.Sprintf("ratio-lanes-%d", n))
	}
	b.ReportMetric(0, "ns/op")
}

// catchUp returns the time that a writer with n lanes takes to mirror log, of orders, into an empty database.
func catchUp(b *testing.B, log *memLog, n int) time.Duration {
	dsn, db := newDatabase(b)
	defer db.Close()
	begin := time.Now()
	w, stop := start(b, log, writeback.Config{DSN: dsn, Lanes: n})
	require.NoError(b, w.Flush(b.Context()))
	taken := time.Since(begin)
	require.EqualValues(b, benchRows, w.Stats().RowsWritten)
	stop()
	return taken
}

// parallelCopy returns the time that n connections take to copy chunks into a table like that of orders.
func parallelCopy(b *testing.B, chunks []string, n int) time.Duration {
	_, db := newDatabase(b)
	defer db.Close()
	_, err := db.Exec(createOrders)
	require.NoError(b, err)
	var all sync.WaitGroup
	begin := time.Now()
	for part := range slices.Chunk(chunks, (len(chunks)+n-1)/n) {
		all.Go(func() {
			if err := copyAll(db, part); err != nil {
				b.Error(err)
			}
		})
	}
	all.Wait()
	return time.Since(begin)
}

// copyAll copies lines in its own transaction.
func copyAll(db *sql.DB, chunks []string) error {
	conn, err := db.Conn(context.Background())
	if err != nil {
		return err
	}
	defer conn.Close()
	tx, err := conn.BeginTx(context.Background(), nil)
	if err != nil {
		return err
	}
	if err := conn.Raw(func(dc any) error { return copyLines(dc, `COPY orders FROM STDIN`, chunks) }); err != nil {
		return err
	}
	return tx.Commit()
}

// BenchmarkDeadLetter mirrors 100,000 rows, of which the database refuses one, or none for comparison.
func BenchmarkDeadLetter(b *testing.B) {
	const rows = 100_000
	for _, refused := range []int{0, 1, rows} {
		b.Run(fmt.Sprint(refused, "-refused"), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				dsn, db := newDatabase(b)
				log := newMemLog()
				w, stop := start(b, log, writeback.Config{DSN: dsn})
				log.Append(kindRecord(1, order))
				require.NoError(b, w.Flush(b.Context()))
				rule := fmt.Sprintf("id <> %d", refused*rows/2-1)
				if refused == rows {
					rule = "id < 0"
				}
				_, err := db.Exec(fmt.Sprintf(`ALTER TABLE space_test."Order" ADD CONSTRAINT rule CHECK (%s)`, rule))
				require.NoError(b, err)
				var group []byte
				for i := range rows {
					group = record.AppendPut(group, uint64(i+1), 1, forever, row(b, order, orderFields(i)))
				}
				b.StartTimer()
				log.Append(group)
				require.NoError(b, w.Flush(b.Context()))
				b.StopTimer()
				require.EqualValues(b, refused, w.Stats().RowsRefused)
				stop()
				b.StartTimer()
			}
			reportRows(b, rows)
		})
	}
}

const createOrders = `CREATE TABLE orders (_id bigint PRIMARY KEY, _expires timestamptz, _visible timestamptz,
	id bigint, customer text, state text, priority bigint, amount double precision, created timestamptz, note text,
	_exact bytea)`

func benchmarkCopy(b *testing.B, do func(*sql.Conn, *sql.Tx, string) error) {
	for b.Loop() {
		b.StopTimer()
		_, db := newDatabase(b)
		conn, err := db.Conn(b.Context())
		require.NoError(b, err)
		_, err = conn.ExecContext(b.Context(), createOrders)
		require.NoError(b, err)
		b.StartTimer()
		tx, err := conn.BeginTx(context.Background(), nil)
		require.NoError(b, err)
		require.NoError(b, do(conn, tx, `COPY orders FROM STDIN`))
		require.NoError(b, tx.Commit())
		b.StopTimer()
		require.NoError(b, conn.Close())
		b.StartTimer()
	}
	reportRows(b, benchRows)
}

func copyLines(dc any, query string, chunks []string) error {
	stmt, err := dc.(driver.ConnPrepareContext).PrepareContext(context.Background(), query)
	if err != nil {
		return err
	}
	in := stmt.(interface {
		CopyData(context.Context, string) (driver.Result, error)
	})
	for _, lines := range chunks {
		if _, err := in.CopyData(context.Background(), lines); err != nil {
			return err
		}
	}
	return stmt.Close()
}

func copyExec(tx *sql.Tx, query string) error {
	stmt, err := tx.Prepare(query)
	if err != nil {
		return err
	}
	for i := range benchRows {
		f := orderFields(i)
		if _, err := stmt.Exec(int64(i+1), nil, nil, f["id"], f["customer"], f["state"], f["priority"], f["amount"],
			f["created"], f["note"], nil); err != nil {
			return err
		}
	}
	return stmt.Close()
}

// BenchmarkLoad reads the tables as for loading a space. It compares that with plain statements on the same rows: the
// cost of the driver, and that of the server alone.
func BenchmarkLoad(b *testing.B) {
	dsn, db := newDatabase(b)
	w, stop := start(b, orders(b), writeback.Config{DSN: dsn})
	require.NoError(b, w.Flush(b.Context()))
	stop()
	b.Run("load", func(b *testing.B) {
		for b.Loop() {
			tables, err := writeback.OpenTables(b.Context(), dsn, "test", false)
			require.NoError(b, err)
			rows := uint64(0)
			require.NoError(b, tables.Parts()[0].Records(func(_ []byte, n uint64) error {
				rows += n
				return nil
			}))
			require.EqualValues(b, benchRows, rows)
			tables.Close()
		}
		reportRows(b, benchRows)
	})
	b.Run("select", func(b *testing.B) {
		for b.Loop() {
			rows, err := db.Query(`SELECT * FROM space_test."Order"`)
			require.NoError(b, err)
			columns, err := rows.Columns()
			require.NoError(b, err)
			into := make([]any, len(columns))
			for i := range into {
				into[i] = new(sql.RawBytes)
			}
			n := 0
			for ; rows.Next(); n++ {
				require.NoError(b, rows.Scan(into...))
			}
			require.NoError(b, rows.Err())
			require.Equal(b, benchRows, n)
		}
		reportRows(b, benchRows)
	})
	b.Run("copy", func(b *testing.B) {
		for b.Loop() {
			_, err := db.Exec(`COPY space_test."Order" TO PROGRAM 'cat >/dev/null'`)
			require.NoError(b, err)
		}
		reportRows(b, benchRows)
	})
}
