package main

import (
	"fmt"
	"io"
	"time"
)

// top is the number of lines of each table in the report.
const top = 10

// report prints what a run found.
func report(out io.Writer, s RunSummary, t *totals) {
	fmt.Fprintf(out, "\nRun %s read %s in %v: %.0f files/s\n\n",
		s.Run, s.Root, s.Took.Round(time.Millisecond), float64(s.Files)/s.Took.Seconds())
	fmt.Fprintf(out, "%10d files, of which %d are no valid Go\n", s.Files, s.Unparsed)
	fmt.Fprintf(out, "%10d packages\n%10d lines\n%10d bytes\n%10d functions\n", s.Packages, s.Lines, s.Bytes, s.Functions)
	fmt.Fprintf(out, "%10d different imports\n", s.Imports)

	fmt.Fprintf(out, "\n%10s %6s %10s  largest packages\n", "lines", "files", "functions")
	for _, p := range t.packageTotals()[:min(top, s.Packages)] {
		fmt.Fprintf(out, "%10d %6d %10d  %s\n", p.Lines, p.Files, p.Functions, p.Package)
	}
	fmt.Fprintf(out, "\n%10s  most imported packages\n", "files")
	for _, i := range t.importTotals()[:min(top, s.Imports)] {
		fmt.Fprintf(out, "%10d  %s\n", i.Files, i.Import)
	}
	fmt.Fprintf(out, "\ndigest %s\n", s.Digest)
}
