package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// listing is how a command prints a list: as a table on a terminal, and as JSON for programs.
type listing struct {
	json  bool
	given bool
}

func (l *listing) add(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&l.json, "json", false,
		"print JSON lines, as into a file or a pipe; --json=false prints a table there, too")
	cmd.PreRun = func(cmd *cobra.Command, _ []string) { l.given = cmd.Flags().Changed("json") }
}

// isTable reports whether out gets a table.
func (l *listing) isTable(out io.Writer) bool {
	if l.given {
		return !l.json
	}
	f, ok := out.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// printRows prints rows: as a table with headings, where cells returns the cells of a row, or each row as a line of
// JSON.
func printRows[T any](a *app, l *listing, headings string, rows []T, cells func(T) []any) error {
	if !l.isTable(a.stdout) {
		for _, row := range rows {
			if err := a.printJSON(row); err != nil {
				return err
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(strings.Fields(headings), "\t"))
	for _, row := range rows {
		texts := cells(row)
		for i, c := range texts {
			if texts[i] = fmt.Sprint(c); texts[i] == "" {
				texts[i] = "-"
			}
		}
		fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf(strings.Repeat("%v\t", len(texts)), texts...), "\t"))
	}
	return w.Flush()
}

// yesNo is a cell.
func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// size is a cell: bytes as people read them.
func size(n int64) string {
	f, units := float64(n), []string{"B", "KiB", "MiB", "GiB", "TiB"}
	i := 0
	for ; f >= 1024 && i < len(units)-1; i++ {
		f /= 1024
	}
	if i == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", f, units[i])
}

// count is a number of things, as in "1 dead letter".
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// entries returns a number of entries.
func entries(n int) string {
	if n == 1 {
		return "1 entry"
	}
	return fmt.Sprintf("%d entries", n)
}
