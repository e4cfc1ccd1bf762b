package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// printTables prints a table in Markdown for each durability and guarantee: a row for each workload, a column for each
// way. Cells have thousands of jobs per second and their ratio to the best other server.
func printTables(out io.Writer, results []result) {
	for _, d := range durabilities() {
		for _, g := range []guarantee{atMostOnce, atLeastOnce} {
			some := slices.DeleteFunc(slices.Clone(results), func(r result) bool {
				return r.Durability != d || r.Guarantee != g
			})
			if len(some) > 0 {
				fmt.Fprintf(out, "\n%s, %s: thousands of jobs per second (ratio to the best other server)\n\n", d, g)
				printTable(out, some)
			}
		}
	}
}

func printTable(out io.Writer, results []result) {
	var rows, columns []string
	cells := map[[2]string]string{}
	for _, r := range results {
		column := r.Peer + " " + r.Way
		rows, columns = add(rows, r.Workload), add(columns, column)
		cells[[2]string{r.Workload, column}] = cell(r)
	}
	line := func(cells ...string) { fmt.Fprintf(out, "| %s |\n", strings.Join(cells, " | ")) }
	widths := []int{8}
	for _, c := range columns {
		widths = append(widths, max(len(c), 13))
	}
	header, rule := []string{fmt.Sprintf("%-*s", widths[0], "workload")}, []string{strings.Repeat("-", widths[0])}
	for i, c := range columns {
		header = append(header, fmt.Sprintf("%*s", widths[i+1], c))
		rule = append(rule, strings.Repeat("-", widths[i+1]-1)+":")
	}
	line(header...)
	line(rule...)
	for _, row := range rows {
		text := []string{fmt.Sprintf("%-*s", widths[0], row)}
		for i, c := range columns {
			text = append(text, fmt.Sprintf("%*s", widths[i+1], cells[[2]string{row, c}]))
		}
		line(text...)
	}
}

// add appends name unless names has it.
func add(names []string, name string) []string {
	if slices.Contains(names, name) {
		return names
	}
	return append(names, name)
}

// cell marks the best other server, to which all relate, and ours.
func cell(r result) string {
	text := fmt.Sprintf("%.1f (%.2f)", r.Median/1000, r.Ratio)
	if r.Peer == ours || r.Ratio == 1 {
		return "**" + text + "**"
	}
	return text
}
