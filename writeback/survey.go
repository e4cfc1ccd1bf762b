package writeback

import (
	"database/sql"
	"fmt"
	"strings"
)

// survey is the content of the schema of a space. It is read once and updated with every change; after a failure it is
// read again.
type survey struct {
	names names // of everything that shares its names with tables
	// tables by their comments, without lostComment, whose kinds were unknown when it was read
	lost map[string]*actual
}

// survey returns the content of the schema.
func (db *database) survey(tx *sql.Tx) (*survey, error) {
	if db.surveyed != nil {
		return db.surveyed, nil
	}
	tables, err := db.look(tx)
	if err != nil {
		return nil, err
	}
	s := &survey{lost: make(map[string]*actual)}
	if s.names, err = db.takenNames(tx); err != nil {
		return nil, err
	}
	known, err := db.others(tx)
	if err != nil {
		return nil, err
	}
	if known == nil {
		known = make(names)
	}
	for _, t := range db.tables {
		known[t.name] = true
	}
	for _, f := range tables {
		if comment := strings.TrimPrefix(f.comment, lostComment); strings.HasPrefix(comment, kindComment) && !known[f.name] {
			s.lost[comment] = f
		}
	}
	db.surveyed = s
	return s, nil
}

// takenNames returns the names in the schema that a new table may not have. Indexes and views share their names with
// tables, and each table is a type too. (PostgreSQL renames array types if necessary.)
func (db *database) takenNames(tx *sql.Tx) (names, error) {
	all, err := queryNames(tx, `SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace($1)
		UNION SELECT typname FROM pg_type WHERE typnamespace = to_regnamespace($1) AND typcategory <> 'A'`,
		quote(schemaName(db.space)))
	if err != nil {
		return nil, fmt.Errorf("list names: %w", err)
	}
	taken := make(names)
	for _, name := range all {
		taken[name] = true
	}
	return taken, nil
}

// queryNames returns the names that a query selects.
func queryNames(tx *sql.Tx, query string, args ...any) (all []string, err error) {
	rows, err := tx.Query(query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		all = append(all, name)
	}
	return all, rows.Err()
}

// rank numbers the tables so that a table that refers to another, by a foreign key, has the higher number. In a cycle
// of references the numbers are arbitrary.
func (db *database) rank(tx *sql.Tx) error {
	rows, err := tx.Query(`SELECT c.relname, p.relname FROM pg_constraint f
		JOIN pg_class c ON c.oid = f.conrelid JOIN pg_class p ON p.oid = f.confrelid
		WHERE f.contype = 'f' AND c.relnamespace = to_regnamespace($1)
			AND p.relnamespace = c.relnamespace AND c.oid <> p.oid`,
		quote(schemaName(db.space)))
	if err != nil {
		return fmt.Errorf("look at the foreign keys: %w", err)
	}
	defer rows.Close()
	kinds := make(map[string]uint32)
	for _, t := range db.tables {
		kinds[t.name] = t.kind
	}
	var references [][2]uint32
	for rows.Next() {
		var from, to string
		if err := rows.Scan(&from, &to); err != nil {
			return fmt.Errorf("look at the foreign keys: %w", err)
		}
		references = append(references, [2]uint32{kinds[from], kinds[to]})
	}
	db.ranks = ranks(references)
	return rows.Err()
}

// ranks returns a number for each kind that refers to another: the length of its longest chain of references.
func ranks(references [][2]uint32) map[uint32]int {
	ranks := make(map[uint32]int)
	for range references {
		changed := false
		for _, r := range references {
			if from, to := r[0], r[1]; ranks[from] <= ranks[to] {
				ranks[from], changed = ranks[to]+1, true
			}
		}
		if !changed {
			break
		}
	}
	return ranks
}
