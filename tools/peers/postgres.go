package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/lib/pq"
)

// pause is how long a worker that has found no job sleeps. NOTIFY would wake it, but makes commits wait for each other.
const pause = time.Millisecond

// connections are the most that a queue needs: each carries one call at a time.
const connections = 600

const (
	schema = `CREATE TABLE jobs (seq bigserial PRIMARY KEY, id bigint, key bigint, payload bytea);
		CREATE TABLE keyed (seq bigserial PRIMARY KEY, id bigint, key bigint, payload bytea);
		CREATE INDEX ON keyed (key, seq)`
	insertJobs  = `INSERT INTO jobs (id, key, payload) SELECT unnest($1::bigint[]), unnest($2::bigint[]), $3`
	insertKeyed = `INSERT INTO keyed (id, key, payload) SELECT unnest($1::bigint[]), unnest($2::bigint[]), $3`
	deleteJobs  = `DELETE FROM jobs WHERE seq = ANY(ARRAY(
		SELECT seq FROM jobs ORDER BY seq LIMIT $1 FOR UPDATE SKIP LOCKED)) RETURNING seq, id, key, payload`
	deleteKeyed = `DELETE FROM keyed WHERE seq = ANY(ARRAY(
		SELECT seq FROM keyed WHERE key = $1 ORDER BY seq LIMIT 1 FOR UPDATE SKIP LOCKED)) RETURNING seq, id, key, payload`
	selectJobs = `SELECT seq, id, key, payload FROM jobs ORDER BY seq LIMIT $1 FOR UPDATE SKIP LOCKED`
	deleteSeqs = `DELETE FROM jobs WHERE seq = ANY($1)`
)

// postgres keeps jobs in a table, from which workers take the oldest that no other has locked.
type postgres struct {
	db *sql.DB

	insertJobs, insertKeyed, deleteJobs, deleteKeyed, selectJobs, deleteSeqs *sql.Stmt
}

func startPostgres(ctx context.Context, s *server) (queue, error) {
	s.quit = os.Interrupt // SIGTERM waits for the clients
	if err := initdb(ctx, s); err != nil {
		return nil, err
	}
	args := []string{"-D", filepath.Join(s.dir, "data"), "-k", s.dir, "-h", "127.0.0.1", "-p", s.port}
	for _, setting := range []string{
		"synchronous_commit=" + s.either("on", "off"), fmt.Sprint("max_connections=", connections+10),
		"shared_buffers=256MB", "max_wal_size=4GB", "autovacuum_naptime=1s",
	} {
		args = append(args, "-c", setting)
	}
	if err := s.run(ctx, args...); err != nil {
		return nil, err
	}
	db, err := sql.Open("postgres", fmt.Sprintf("host=127.0.0.1 port=%s user=postgres sslmode=disable", s.port))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	if err := s.retry(ctx, func() error { return db.PingContext(ctx) }); err != nil {
		return nil, err
	}
	return newPostgres(ctx, db)
}

// initdb makes the data folder, for a user other than root, as whom PostgreSQL does not run.
func initdb(ctx context.Context, s *server) error {
	if os.Geteuid() == 0 {
		u, err := user.Lookup("postgres")
		if err != nil {
			return fmt.Errorf("PostgreSQL does not run as root: %w", err)
		}
		uid, _ := strconv.Atoi(u.Uid) // numbers on every Unix
		gid, _ := strconv.Atoi(u.Gid)
		s.credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(s.dir, uid, gid); err != nil {
			return err
		}
	}
	program, ok := find("initdb")
	if !ok {
		return errors.New("there is a postgres, but no initdb")
	}
	cmd := exec.CommandContext(ctx, program, "--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale",
		"--pgdata="+filepath.Join(s.dir, "data"))
	cmd.Dir, cmd.SysProcAttr = s.dir, &syscall.SysProcAttr{Credential: s.credential}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	return nil
}

func newPostgres(ctx context.Context, db *sql.DB) (*postgres, error) {
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return nil, err
	}
	p := &postgres{db: db}
	for query, stmt := range map[string]**sql.Stmt{
		insertJobs: &p.insertJobs, insertKeyed: &p.insertKeyed, deleteJobs: &p.deleteJobs, deleteKeyed: &p.deleteKeyed,
		selectJobs: &p.selectJobs, deleteSeqs: &p.deleteSeqs,
	} {
		var err error
		if *stmt, err = db.PrepareContext(ctx, query); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *postgres) close() { p.db.Close() }

func (p *postgres) put(ctx context.Context, jobs ...job) error {
	return insert(ctx, p.insertJobs, jobs)
}

func insert(ctx context.Context, into *sql.Stmt, jobs []job) error {
	ids, keys := make([]int64, len(jobs)), make([]int64, len(jobs))
	for i, j := range jobs {
		ids[i], keys[i] = j.id, j.key
	}
	_, err := into.ExecContext(ctx, pq.Array(ids), pq.Array(keys), payload)
	return err
}

func (p *postgres) ways() []way {
	return []way{
		{"DELETE", atMostOnce, true, p.work(p.delete)},
		{"SELECT, DELETE, COMMIT", atLeastOnce, true, p.work(p.transaction)},
	}
}

// work returns the loop of workers that take jobs by take, without a context: a call that is interrupted costs its
// connection.
func (p *postgres) work(take func(batch int) ([]job, error)) func(context.Context, int, int, func(job)) error {
	return func(ctx context.Context, workers, batch int, done func(job)) error {
		return each(ctx, workers, func(ctx context.Context) error {
			for ctx.Err() == nil {
				jobs, err := take(batch)
				if err != nil {
					return err
				}
				for _, j := range jobs {
					done(j)
				}
				if len(jobs) == 0 {
					time.Sleep(pause)
				}
			}
			return nil
		})
	}
}

func (p *postgres) delete(batch int) ([]job, error) {
	rows, err := p.deleteJobs.Query(batch)
	if err != nil {
		return nil, err
	}
	jobs, _, err := scan(rows)
	return jobs, err
}

func (p *postgres) transaction(batch int) ([]job, error) {
	tx, err := p.db.Begin()
	if err != nil {
		return nil, err
	}
	defer tx.Rollback()
	rows, err := tx.Stmt(p.selectJobs).Query(batch)
	if err != nil {
		return nil, err
	}
	jobs, seqs, err := scan(rows)
	if err != nil || len(jobs) == 0 {
		return nil, err
	}
	if _, err := tx.Stmt(p.deleteSeqs).Exec(pq.Array(seqs)); err != nil {
		return nil, err
	}
	return jobs, tx.Commit()
}

// scan reads jobs, with their places in the table, and closes rows.
func scan(rows *sql.Rows) (jobs []job, seqs []int64, err error) {
	defer rows.Close()
	for rows.Next() {
		var (
			j    job
			seq  int64
			body []byte
		)
		if err := rows.Scan(&seq, &j.id, &j.key, &body); err != nil {
			return nil, nil, err
		}
		jobs, seqs = append(jobs, j), append(seqs, seq)
	}
	return jobs, seqs, rows.Err()
}

func (p *postgres) putKeyed(ctx context.Context, jobs ...job) error {
	return insert(ctx, p.insertKeyed, jobs)
}

func (p *postgres) takeKeyed(ctx context.Context, key int64) (job, bool, error) {
	rows, err := p.deleteKeyed.QueryContext(ctx, key)
	if err != nil {
		return job{}, false, err
	}
	jobs, _, err := scan(rows)
	if err != nil || len(jobs) == 0 {
		return job{}, false, err
	}
	return jobs[0], true, nil
}
