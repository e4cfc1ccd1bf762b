package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"os"
	"text/tabwriter"

	"github.com/lib/pq"

	"github.com/gospaces/gospaces/space"
)

// RunSummary, PackageTotal and ImportTotal are entries of examples/masterworker. A kind is a name and fields, not a Go
// type, so this program has types of its own, with the fields that it compares.
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

// The queries that read the result from PostgreSQL: a table for each kind, in a schema for the space.
const (
	summaryQuery = `SELECT run, files, unparsed, packages, lines, bytes, functions, imports, digest FROM space_default.run_summary`
	packageQuery = `SELECT run, package, files, lines, bytes, functions FROM space_default.package_total ORDER BY lines DESC, package`
	importQuery  = `SELECT run, import, files FROM space_default.import_total ORDER BY files DESC, import`
)

// shown is how many rows of a query are printed.
const shown = 5

// fromDatabase reads the result with SQL, and shows how.
func fromDatabase(ctx context.Context, dsn string) (*result, error) {
	connector, err := pq.NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	r := &result{packages: map[string]PackageTotal{}, imports: map[string]ImportTotal{}}
	var (
		s = &r.summary
		p PackageTotal
		i ImportTotal
	)
	return r, errors.Join(
		query(ctx, db, summaryQuery, func() {}, &s.Run, &s.Files, &s.Unparsed, &s.Packages, &s.Lines, &s.Bytes, &s.Functions, &s.Imports, &s.Digest),
		query(ctx, db, packageQuery, func() { r.packages[p.Package] = p }, &p.Run, &p.Package, &p.Files, &p.Lines, &p.Bytes, &p.Functions),
		query(ctx, db, importQuery, func() { r.imports[i.Import] = i }, &i.Run, &i.Import, &i.Files),
	)
}

// query prints a query and its first rows. It scans each row into fields and then calls keep.
func query(ctx context.Context, db *sql.DB, text string, keep func(), fields ...any) error {
	say(text)
	rows, err := db.QueryContext(ctx, text)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, c := range columns {
		fmt.Fprint(table, c, "\t")
	}
	n := 0
	for ; rows.Next(); n++ {
		if err := rows.Scan(fields...); err != nil {
			return err
		}
		keep()
		if n < shown {
			fmt.Fprintln(table)
			for _, f := range fields {
				fmt.Fprint(table, value(f), "\t")
			}
		}
	}
	fmt.Fprintln(table)
	table.Flush()
	if n > shown {
		fmt.Printf("… %d more\n", n-shown)
	}
	return rows.Err()
}

// value returns what a scanned field holds.
func value(field any) any {
	switch f := field.(type) {
	case *int:
		return *f
	case *string:
		return *f
	}
	return field
}

// compare returns nil if the space and the database say the same.
func compare(ctx context.Context, sp space.Space, dsn string) error {
	inSpace, err := fromSpace(ctx, sp)
	if err != nil {
		return err
	}
	inDatabase, err := fromDatabase(ctx, dsn)
	if err != nil {
		return err
	}
	if inSpace.summary != inDatabase.summary {
		return fmt.Errorf("the summary is %+v in the space and %+v in the database", inSpace.summary, inDatabase.summary)
	}
	if !maps.Equal(inSpace.packages, inDatabase.packages) || !maps.Equal(inSpace.imports, inDatabase.imports) {
		return errors.New("the totals in the space are not those in the database")
	}
	lines := 0
	for _, p := range inDatabase.packages {
		lines += p.Lines
	}
	if lines != inDatabase.summary.Lines {
		return fmt.Errorf("the packages have %d lines, the summary says %d", lines, inDatabase.summary.Lines)
	}
	say(fmt.Sprintf("The database has the result of the space: %d files, %d packages, %d imports.", inSpace.summary.Files, len(inSpace.packages), len(inSpace.imports)))
	return nil
}
