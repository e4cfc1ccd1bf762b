package load

import (
	"github.com/gospaces/gospaces/writeback"
)

// Seed calls write with the records with which the log of a loaded partition begins (engine.Seed), some at a time, and
// progress with the number of entries so far. The records are valid only during the call. It returns the error of
// write, or what is wrong with a row.
func Seed(part *writeback.Part, number int, write func(records []byte) error, progress func(entries uint64)) error {
	return writeImage(write, part, progress, number)
}
