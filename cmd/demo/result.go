package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"text/tabwriter"

	"github.com/lib/pq"

	"github.com/gospaces/gospaces/space"
)

// RunSummary, PackageTotal and ImportTotal are entries of examples/masterworker. A kind is a name and fields, not a Go
// type, so this program declares its own types, with the fields that it compares.
type RunSummary struct {
	Run       string
	Files     int
	Unparsed  int
	Packages  int
	Lines     int
	Bytes     int
	Functions int
	Imports   int
	Digest    string
}

type PackageTotal struct {
	Run       string
	Package   string
	Files     int
	Lines     int
	Bytes     int
	Functions int
}

type ImportTotal struct {
	Run    string
	Import string
	Files  int
}

// result is the outcome of the run.
type result struct {
	summary  RunSummary
	packages map[string]PackageTotal
	imports  map[string]ImportTotal
}

// fromSpace reads the result from the space.
func fromSpace(ctx context.Context, sp space.Space) (*result, error) {
	r := &result{packages: map[string]PackageTotal{}, imports: map[string]ImportTotal{}}
	var err error
	if r.summary, err = space.Read(ctx, sp, RunSummary{}, space.NoWait()); err != nil {
		return nil, err
	}
	for p, err := range space.Contents(ctx, sp, PackageTotal{Run: r.summary.Run}) {
		if err != nil {
			return nil, err
		}
		r.packages[p.Package] = p
	}
	for i, err := range space.Contents(ctx, sp, ImportTotal{Run: r.summary.Run}) {
		if err != nil {
			return nil, err
		}
		r.imports[i.Import] = i
	}
	return r, nil
}

// These queries read the result from PostgreSQL: a table for each kind, in a schema for the space.
const (
	summaryQuery = `SELECT files, unparsed, packages, lines, bytes, functions, imports, digest ` +
		`FROM space_default.run_summary WHERE run = $1`
	packageQuery = `SELECT package, files, lines, bytes, functions ` +
		`FROM space_default.package_total WHERE run = $1 ORDER BY lines DESC, package`
	importQuery = `SELECT import, files FROM space_default.import_total WHERE run = $1 ORDER BY files DESC, import`
)

// shown is the number of rows printed for a query.
const shown = 5

// fromDatabase reads the result of a run with SQL, and prints the queries.
func fromDatabase(ctx context.Context, dsn, run string) (*result, error) {
	connector, err := pq.NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	r := &result{summary: RunSummary{Run: run}, packages: map[string]PackageTotal{}, imports: map[string]ImportTotal{}}
	s, p, i := &r.summary, PackageTotal{Run: run}, ImportTotal{Run: run}
	return r, errors.Join(
		query(ctx, db, summaryQuery, run, func() {}, &s.Files, &s.Unparsed, &s.Packages, &s.Lines, &s.Bytes, &s.Functions,
			&s.Imports, &s.Digest),
		query(ctx, db, packageQuery, run, func() { r.packages[p.Package] = p }, &p.Package, &p.Files, &p.Lines, &p.Bytes,
			&p.Functions),
		query(ctx, db, importQuery, run, func() { r.imports[i.Import] = i }, &i.Import, &i.Files),
	)
}

// query prints a query and its first rows. It scans each row into fields and then calls keep.
func query(ctx context.Context, db *sql.DB, text, run string, keep func(), fields ...any) error {
	say(text)
	rows, err := db.QueryContext(ctx, text, run)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, strings.Join(columns, "\t"))
	n := 0
	for ; rows.Next(); n++ {
		if err := rows.Scan(fields...); err != nil {
			return err
		}
		keep()
		if n < shown {
			printRow(table, fields)
		}
	}
	table.Flush()
	if n > shown {
		fmt.Printf("… %d more\n", n-shown)
	}
	return rows.Err()
}

// printRow prints scanned fields.
func printRow(table io.Writer, fields []any) {
	var cells []string
	for _, f := range fields {
		cells = append(cells, fmt.Sprint(reflect.ValueOf(f).Elem()))
	}
	fmt.Fprintln(table, strings.Join(cells, "\t"))
}

// compare returns nil if the space and the database have the same result.
func compare(ctx context.Context, sp space.Space, dsn string) error {
	inSpace, err := fromSpace(ctx, sp)
	if err != nil {
		return err
	}
	inDatabase, err := fromDatabase(ctx, dsn, inSpace.summary.Run)
	if err != nil {
		return err
	}
	if inSpace.summary != inDatabase.summary {
		return fmt.Errorf("the summary is %+v in the space and %+v in the database", inSpace.summary, inDatabase.summary)
	}
	if err := same(inSpace.packages, inDatabase.packages); err != nil {
		return err
	}
	if err := same(inSpace.imports, inDatabase.imports); err != nil {
		return err
	}
	say(fmt.Sprintf("The database has the result of the space: %d files, %d packages, %d imports.",
		inSpace.summary.Files, len(inSpace.packages), len(inSpace.imports)))
	return nil
}

// same returns an error that names a difference between the space and the database.
func same[T comparable](inSpace, inDatabase map[string]T) error {
	for name, want := range inSpace {
		if got, ok := inDatabase[name]; !ok || got != want {
			return fmt.Errorf("%s is %+v in the space and %+v in the database", name, want, got)
		}
	}
	if len(inSpace) != len(inDatabase) {
		return fmt.Errorf("the space has %d totals and the database %d", len(inSpace), len(inDatabase))
	}
	return nil
}
