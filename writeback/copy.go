package writeback

import (
	"cmp"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// chunk is how many bytes of lines are handed to the driver at a time, which sends about as much in one message.
const chunk = 60 << 10

// store adds the rows of puts that are not dead, which have no rows yet. It must run within a transaction.
func (db *database) store(puts []put) (uint64, error) {
	byKind := make(map[uint32][]*put)
	for i := range puts {
		if p := &puts[i]; !p.dead {
			byKind[p.kind] = append(byKind[p.kind], p)
		}
	}
	var written uint64
	for _, kind := range slices.Sorted(maps.Keys(byKind)) {
		t := db.tables[kind]
		if err := db.copyIn(t, byKind[kind]); err != nil {
			return 0, fmt.Errorf("copy into %s: %w", t.name, err)
		}
		written += uint64(len(byKind[kind]))
	}
	return written, nil
}

// copyIn adds rows to one table. It hands whole lines to the driver: a value at a time through database/sql would cost more
// than everything else here together.
func (db *database) copyIn(t *table, puts []*put) error {
	var err error
	raw := db.conn.Raw(func(driverConn any) error {
		err = db.copyLines(driverConn, t, puts)
		// If it were returned here and the connection is bad, Raw would close it, and wait for the transaction that is waiting for us.
		return nil
	})
	return cmp.Or(err, raw)
}

func (db *database) copyLines(driverConn any, t *table, puts []*put) error {
	in, err := beginCopy(driverConn, t.copyStatement())
	if err != nil {
		return err
	}
	if err := db.sendLines(in, t, puts); err != nil {
		return errors.Join(err, in.Close())
	}
	_, err = in.Exec(nil) // the end of the data; waits for what the database says
	return errors.Join(err, in.Close())
}

// copier is the statement of the driver for COPY … FROM STDIN.
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

func (db *database) sendLines(in copier, t *table, puts []*put) error {
	lines := db.lines[:0]
	for i, p := range puts {
		lines = t.appendLine(lines, p)
		if len(lines) < chunk && i < len(puts)-1 {
			continue
		}
		// The driver ends what it is given with a line feed.
		if _, err := in.CopyData(context.Background(), string(lines[:len(lines)-1])); err != nil {
			return err
		}
		lines = lines[:0]
	}
	db.lines = lines
	return nil
}
