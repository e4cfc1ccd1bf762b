package crash

import (
	"errors"
	"maps"
)

// row is an entry in a space or in a table, with its complete text.
type row struct {
	id   uint64
	text string
}

// judgeTable compares a table with the space.
func judgeTable(name string, space, table []row) []error {
	var v violations
	want := map[uint64]string{}
	for _, r := range space {
		want[r.id] = r.text
	}
	left := maps.Clone(want)
	for _, r := range table {
		text, there := want[r.id]
		switch {
		case !there:
			v.add("extra", "table %s: row %d %.80s is not in the space", name, r.id, r.text)
		case text != r.text:
			v.add("differs", "table %s: row %d is %.80s, in the space %.80s", name, r.id, r.text, text)
		}
		delete(left, r.id)
	}
	for id, text := range left {
		v.add("missing", "table %s: row %d %.80s is missing", name, id, text)
	}
	return v.errors
}

// filed is a row in the archive of jobs.
type filed struct {
	n   int
	how string // "": the job is in the space
}

// judgeArchive compares the archive with the waiting jobs and those finished in this round. If rebased is set, the
// mirror has continued from a snapshot: jobs that came and went meanwhile may be missing, and jobs that left have no
// reason.
func judgeArchive(archive []filed, waiting, finished []int, rebased bool) []error {
	var v violations
	rows := map[int]filed{}
	for _, f := range archive {
		if _, twice := rows[f.n]; twice {
			v.add("twice", "archive: job %d is there twice", f.n)
		}
		rows[f.n] = f
	}
	look := func(ns []int, fits func(f filed, there bool) bool, what string) {
		for _, n := range ns {
			if f, there := rows[n]; !fits(f, there) {
				v.add(what, "archive: job %d %s; its row is there: %t, how it left: %q", n, what, there, f.how)
			}
			delete(rows, n)
		}
	}
	look(waiting, func(f filed, there bool) bool { return there && f.how == "" }, "waits")
	look(finished, func(f filed, there bool) bool {
		return there && f.how == "taken" || rebased && (!there || f.how == "unknown")
	}, "is done")
	for n, f := range rows {
		v.add("extra", "archive: job %d neither waits nor was it done; how it left: %q", n, f.how)
	}
	return v.errors
}

// judgeSame compares the content of the spaces before and after, line by line.
func judgeSame(before, after []string) error {
	var v violations
	left := map[string]bool{}
	for _, line := range before {
		left[line] = true
	}
	for i, line := range after {
		switch {
		case !left[line]:
			v.add("new", "after: %.120s", line)
		case i < len(before) && before[i] != line:
			v.add("moved", "after, in another place: %.120s", line)
		}
		delete(left, line)
	}
	for line := range left {
		v.add("gone", "before: %.120s", line)
	}
	return errors.Join(v.errors...)
}
