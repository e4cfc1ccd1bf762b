package main

import (
	"fmt"
	"strings"
)

// perhaps returns ": did you mean PREFIXname?" with the known name that is most similar, or "" if none is similar.
func perhaps(prefix, name string, known []string) string {
	best, least := "", max(1, len(name)/4)+1
	for _, k := range known {
		if k != name && strings.EqualFold(k, name) {
			best = k
			break
		}
		if d := distance(name, k); d < least && d < len(k) {
			best, least = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(": did you mean %s%s?", prefix, best)
}

// distance returns the number of letters to be added, removed, changed or swapped with the next to turn a into b.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before, last, row = last, row, before
		row[0] = i + 1
		for j := range len(b) {
			change := last[j]
			if a[i] != b[j] {
				change++
			}
			row[j+1] = min(change, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}
