// Package fsync makes the names of files durable.
package fsync

import (
	"errors"
	"os"
)

// Folder makes the names in a folder durable: those of files that were made, renamed or removed there.
func Folder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
