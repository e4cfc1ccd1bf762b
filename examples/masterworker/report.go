package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// top is how many lines of each table the report shows.
const top = 10

// report prints what a run found.
func report(out io.Writer, s RunSummary, t *totals) {
	fmt.Fprintf(out, "Run %s read %s in %v\n\n", s.Run, s.Root, s.Took.Round(time.Millisecond))
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(cells ...any) {
		for _, c := range cells {
			fmt.Fprint(w, c, "\t")
		}
		fmt.Fprintln(w)
	}
	row("files", "no valid Go", "packages", "lines", "bytes", "functions", "imported packages", "files/s")
	row(s.Files, s.Unparsed, s.Packages, s.Lines, s.Bytes, s.Functions, s.Imports, int(float64(s.Files)/s.Took.Seconds()))
	w.Flush()

	fmt.Fprintln(out, "\nLargest packages")
	row("lines", "files", "functions", "")
	for _, p := range t.packageTotals()[:min(top, s.Packages)] {
		row(p.Lines, p.Files, p.Functions, p.Package)
	}
	w.Flush()

	fmt.Fprintln(out, "\nMost imported packages")
	row("files", "")
	for _, i := range t.importTotals()[:min(top, s.Imports)] {
		row(i.Files, i.Import)
	}
	w.Flush()
	fmt.Fprintf(out, "\ndigest %s\n", s.Digest)
}
