// Package postgres finds a PostgreSQL server for tests and demonstrations, or starts a throwaway one.
//
// It tries, in order: the server that $GOSPACES_POSTGRES names; a throwaway cluster of the server programs installed
// here; as root on Debian and its derivatives, those programs after installing them. A throwaway cluster lives in a
// temporary folder, listens on a unix socket only, runs with fsync off (it survives kill -9, not power loss), and ends
// with the process that started it, however that ends.
package postgres

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"sync"

	"github.com/lib/pq"
)

// EnvDSN names the environment variable that holds the DSN of a server to use instead of a throwaway one.
const EnvDSN = "GOSPACES_POSTGRES"

// ErrNotOurs is returned by calls that need a server started by this package.
var ErrNotOurs = errors.New("postgres: the server that $" + EnvDSN + " names is not ours to stop")

// Config configures Start. The zero value works.
type Config struct {
	Out io.Writer // receives progress, a line at a time; nil: none
}

// Server is a running PostgreSQL server. Its methods may be called concurrently, but only one of
// Kill, Restart, Pause, Continue and Stop at a time.
type Server struct {
	dsn     string
	cluster *cluster // nil for an external server

	mu        sync.Mutex
	databases []string // created by NewDatabase, to be dropped; guarded by mu
}

// Start finds or starts a server and returns once it answers. It returns ErrNoServer if there is none and none can be
// installed, or another error if the server that the environment names does not answer or a new one does not start. The
// caller must stop the server.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	out := cmp.Or[io.Writer](cfg.Out, io.Discard)
	if dsn := os.Getenv(EnvDSN); dsn != "" {
		if err := ping(ctx, dsn); err != nil {
			return nil, fmt.Errorf("postgres: the server that $%s names: %w", EnvDSN, err)
		}
		return &Server{dsn: dsn}, nil
	}
	bin, err := findOrInstall(ctx, out)
	if err != nil {
		return nil, err
	}
	c, err := newCluster(ctx, bin)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(out, "postgres: throwaway server in %s (fsync off)\n", c.dir)
	return &Server{dsn: c.dsn(), cluster: c}, nil
}

// DSN returns the connection string of the server's own database, for lib/pq and for psql.
func (s *Server) DSN() string { return s.dsn }

// NewDatabase creates an empty UTF-8 database with a unique name and returns its DSN. Stop drops it.
func (s *Server) NewDatabase(ctx context.Context) (string, error) {
	name := "gospaces_" + strings.ToLower(rand.Text())
	if err := s.exec(ctx, `CREATE DATABASE `+name+` TEMPLATE template0 ENCODING 'UTF8'`); err != nil {
		return "", fmt.Errorf("postgres: create database %s: %w", name, err)
	}
	s.mu.Lock()
	s.databases = append(s.databases, name)
	s.mu.Unlock()
	return withDatabase(s.dsn, name)
}

// Standby starts another server that follows this one, which must be running, and takes over with Promote. The DSN of
// the standby names only itself. Standby returns ErrNotOurs for an external server. The caller must stop the standby.
func (s *Server) Standby(ctx context.Context) (*Server, error) {
	if s.cluster == nil {
		return nil, ErrNotOurs
	}
	c, err := s.cluster.standby(ctx)
	if err != nil {
		return nil, err
	}
	return &Server{dsn: c.dsn(), cluster: c}, nil
}

// Promote turns a standby into a server that accepts changes.
func (s *Server) Promote(ctx context.Context) error { return s.exec(ctx, `SELECT pg_promote()`) }

// Stop stops a server started by this package and deletes all its data. On an external server it drops the databases
// that NewDatabase created. It is idempotent.
func (s *Server) Stop() error {
	if s.cluster != nil {
		return s.cluster.remove()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, name := range s.databases {
		errs = append(errs, s.exec(context.Background(), `DROP DATABASE IF EXISTS `+name+` WITH (FORCE)`))
	}
	s.databases = nil
	return errors.Join(errs...)
}

// Kill kills the server with SIGKILL, including its session processes, and returns when they are gone. Committed data
// is back after Restart. Kill returns ErrNotOurs for an external server.
func (s *Server) Kill() error { return s.ours((*cluster).kill) }

// Restart starts a killed server again, on the same data and DSN, and returns once it answers.
func (s *Server) Restart(ctx context.Context) error {
	return s.ours(func(c *cluster) error { return c.start(ctx) })
}

// Pause stops the server's processes: connections stay open and nothing answers, until Continue.
func (s *Server) Pause() error { return s.ours((*cluster).pause) }

// Continue resumes a paused server.
func (s *Server) Continue() error { return s.ours((*cluster).resume) }

func (s *Server) ours(do func(*cluster) error) error {
	if s.cluster == nil {
		return ErrNotOurs
	}
	return do(s.cluster)
}

func (s *Server) exec(ctx context.Context, query string) error {
	db, err := sql.Open("postgres", s.dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, query)
	return err
}

func ping(ctx context.Context, dsn string) error {
	connector, err := pq.NewConnector(dsn)
	if err != nil {
		return err
	}
	conn, err := connector.Connect(ctx)
	if err != nil {
		return err
	}
	return conn.Close()
}

// withDatabase returns dsn, a URL or a list of key=value, with another database.
func withDatabase(dsn, name string) (string, error) {
	if !strings.HasPrefix(dsn, "postgres://") && !strings.HasPrefix(dsn, "postgresql://") {
		return dsn + " dbname=" + name, nil // if a key is given twice, the last one counts
	}
	u, err := url.Parse(dsn)
	if err != nil {
		return "", fmt.Errorf("postgres: %w", err)
	}
	u.Path = "/" + name
	return u.String(), nil
}
