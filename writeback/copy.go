package writeback

import (
	"cmp"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
)

// chunk is the number of bytes of lines passed to the driver at a time; the driver sends about that much in one
// message.
const chunk = 60 << 10

// copyIn runs a COPY statement with n lines, which line appends. It passes whole lines to the driver: one value at a
// time through database/sql would cost more than everything else together. It must run within a transaction.
func (db *database) copyIn(statement string, n int, line func(dst []byte, i int) []byte) error {
	var err error
	raw := db.conn.Raw(func(driverConn any) error {
		err = db.copyLines(driverConn, statement, n, line)
		// If the error were returned here on a bad connection, Raw would close the connection, and wait for the transaction
		// that waits for this call.
		return nil
	})
	return cmp.Or(err, raw)
}

func (db *database) copyLines(driverConn any, statement string, n int, line func(dst []byte, i int) []byte) error {
	in, err := beginCopy(driverConn, statement)
	if err != nil {
		return err
	}
	if err = db.sendLines(in, n, line); err == nil {
		_, err = in.Exec(nil) // ends the data, and waits for the answer
	}
	return cmp.Or(err, in.Close()) // Close returns the same error again
}

// copier is the driver's statement for COPY … FROM STDIN.
type copier interface {
	driver.Stmt
	CopyData(ctx context.Context, lines string) (driver.Result, error)
}

func beginCopy(driverConn any, statement string) (copier, error) {
	conn, ok := driverConn.(driver.ConnPrepareContext)
	if !ok {
		return nil, fmt.Errorf("%T cannot prepare statements", driverConn)
	}
	stmt, err := conn.PrepareContext(context.Background(), statement)
	if err != nil {
		return nil, err
	}
	in, ok := stmt.(copier)
	if !ok {
		return nil, errors.Join(fmt.Errorf("%T cannot copy", stmt), stmt.Close())
	}
	return in, nil
}

func (db *database) sendLines(in copier, n int, line func(dst []byte, i int) []byte) error {
	lines := db.lines[:0]
	defer func() { db.lines = lines }()
	for i := range n {
		lines = line(lines, i)
		if len(lines) < chunk && i < n-1 {
			continue
		}
		// The driver adds a line feed to its input.
		if _, err := in.CopyData(context.Background(), string(lines[:len(lines)-1])); err != nil {
			return err
		}
		lines = lines[:0]
	}
	return nil
}
