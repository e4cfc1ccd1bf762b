package writeback

import (
	"database/sql"
	"fmt"
	"math"
	"strconv"
	"time"
)

// array returns an array literal with an element for each item.
func array[T any](items []T, element func(dst []byte, item T) []byte) string {
	dst := []byte{'{'}
	for i, item := range items {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = element(dst, item)
	}
	return string(append(dst, '}'))
}

// idArray returns the keys of entries as an array of bigint.
func idArray(entries []uint64) string {
	return array(entries, func(dst []byte, entry uint64) []byte { return strconv.AppendInt(dst, entryKey(entry), 10) })
}

func kindArray(kinds []uint32) string {
	return array(kinds, func(dst []byte, kind uint32) []byte { return strconv.AppendUint(dst, uint64(kind), 10) })
}

// expiryArray returns the new expiries of entries as an array of timestamptz.
func (b *batch) expiryArray(entries []uint64) string {
	return array(entries, func(dst []byte, entry uint64) []byte {
		if b.patches[entry].expires == math.MaxInt64 {
			return append(dst, "NULL"...)
		}
		return append(appendExpires(append(dst, '"'), b.patches[entry].expires), '"')
	})
}

// leftArray returns the times at which entries left as an array of timestamptz; howArray returns the reasons as an
// array of text.
func (b *batch) leftArray(entries []uint64) string {
	return array(entries, func(dst []byte, entry uint64) []byte {
		return append(appendTime(append(dst, '"'), time.Unix(0, b.gone[entry].at).UTC()), '"')
	})
}

func (b *batch) howArray(entries []uint64) string {
	return array(entries, func(dst []byte, entry uint64) []byte { return append(dst, reasonName(b.gone[entry].how)...) })
}

// affected returns the number of rows affected by a statement.
func affected(result sql.Result, err error) (uint64, error) {
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return uint64(n), err
}

func execAll(tx *sql.Tx, statements []string) error {
	for _, s := range statements {
		if _, err := tx.Exec(s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}
