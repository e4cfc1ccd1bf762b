package writeback

import (
	"database/sql"
	"fmt"
	"math"
)

// appendArray appends the literal of an array with an element for each id.
func appendArray(dst []byte, ids []uint64, element func(dst []byte, id uint64) []byte) []byte {
	dst = append(dst, '{')
	for i, id := range ids {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = element(dst, id)
	}
	return append(dst, '}')
}

// appendExpiryElement appends an expiry as an element of an array of timestamptz.
func appendExpiryElement(dst []byte, expires int64) []byte {
	if expires == math.MaxInt64 {
		return append(dst, "NULL"...)
	}
	return append(appendExpires(append(dst, '"'), expires), '"')
}

// affected returns how many rows a statement has affected.
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
