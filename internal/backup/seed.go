package backup

import (
	"fmt"
	"io"

	"github.com/gospaces/gospaces/internal/engine"
	"github.com/gospaces/gospaces/replication"
)

// Check reads a backup to its end, and returns the parts of it. Its errors are those of Verify, but for damage that the
// checksums do not show.
func Check(r io.Reader) ([]Part, error) {
	m, err := read(r, func(_ Part, snapshot io.Reader) error {
		_, err := replication.ReadSnapshot(snapshot, nil)
		return err
	})
	return m.Parts, err
}

// Seeds reads a backup and calls write for each part of it, at least once, with the records with which the log of a
// restored partition begins (engine.Seed), some at a time. The header is that of the part's snapshot. The records are
// valid only during the call. Seeds returns the error of write, or one of Check.
func Seeds(r io.Reader, write func(p Part, h replication.SnapshotHeader, records []byte) error) error {
	_, err := read(r, func(p Part, snapshot io.Reader) error {
		var s engine.Seed
		var kept []byte
		_, err := replication.ReadSnapshotAs(snapshot, func(h replication.SnapshotHeader) (func([]byte) error, error) {
			return func(records []byte) error {
				var err error
				if kept, err = s.Add(kept[:0], records); err != nil || len(kept) == 0 {
					return err
				}
				return write(p, h, kept)
			}, nil
		})
		if err != nil {
			return fmt.Errorf("partition %d: %w", p.Partition, err)
		}
		return nil
	})
	return err
}
