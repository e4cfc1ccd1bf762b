package load

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/gospaces/gospaces/internal/backup"
	"github.com/gospaces/gospaces/replication"
	"github.com/gospaces/gospaces/writeback"
)

// Config configures a load. Dir and Postgres are required.
type Config struct {
	Dir        string   // data folder of a stopped server; created if missing
	Postgres   string   // DSN of the database
	Spaces     []string // names; none: all spaces that the database mirrors
	Incomplete bool     // also load tables that lack rows according to the mirror

	Progress func(space string, entries, total uint64) // called from time to time; nil: no progress
	Logger   *slog.Logger                              // nil: silent
}

// Space describes a loaded space.
type Space struct {
	Name        string
	Earlier     bool // it was already loaded from the same state of the tables, and nothing was done
	Incarnation string
	Position    uint64 // position of the tables in the log of that incarnation
	Kinds       []writeback.KindRows
	Entries     uint64
	DeadLetters int
	Took        time.Duration
}

// Folder loads spaces one after the other, and calls done for each. If the folder was new, an error leaves nothing in
// it; otherwise spaces loaded before the error stay loaded, and the others are unchanged. It returns ErrNotEmpty or
// ErrSameLog for a space that must not be loaded, writeback.ErrNoMirror for one that the database does not know, an
// error if a server runs on the folder, and otherwise what is wrong with the database or a row.
func Folder(ctx context.Context, cfg Config, done func(Space) error) error {
	if cfg.Dir == "" {
		return errors.New("load: no data folder is given")
	}
	if cfg.Progress == nil {
		cfg.Progress = func(string, uint64, uint64) {}
	}
	if len(cfg.Spaces) == 0 {
		var err error
		if cfg.Spaces, err = writeback.Spaces(ctx, cfg.Postgres); err != nil {
			return err
		}
	}
	if err := cfg.check(ctx); err != nil {
		return err
	}
	left, err := os.ReadDir(cfg.Dir)
	made := len(left) == 0 && (err == nil || errors.Is(err, os.ErrNotExist))
	store, err := replication.Open(ctx,
		replication.Config{Dir: cfg.Dir, Sync: true, Logger: cmp.Or(cfg.Logger, slog.New(slog.DiscardHandler))})
	if err != nil {
		return err // the folder may belong to another process by now, so nothing is removed
	}
	err = errors.Join(cfg.load(ctx, store, done), store.Close())
	if err != nil && made {
		err = errors.Join(err, backup.Discard(cfg.Dir))
	}
	return err
}

// check returns an error if there is nothing to load, before anything is created.
func (cfg *Config) check(ctx context.Context) error {
	if len(cfg.Spaces) == 0 {
		return writeback.ErrNoMirror
	}
	for _, name := range cfg.Spaces {
		if err := replication.ValidName(name); err != nil {
			return err
		}
		tables, err := cfg.open(ctx, name)
		if err != nil {
			return err
		}
		tables.Close()
	}
	return nil
}

func (cfg *Config) open(ctx context.Context, name string) (*writeback.Tables, error) {
	tables, err := writeback.OpenTables(ctx, cfg.Postgres, name, cfg.Incomplete)
	if err != nil {
		return nil, fmt.Errorf("space %q: %w", name, err)
	}
	return tables, nil
}

func (cfg *Config) load(ctx context.Context, store *replication.Store, done func(Space) error) error {
	for _, name := range cfg.Spaces {
		s, err := cfg.space(ctx, store, name)
		if err == nil {
			err = done(s)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (cfg *Config) space(ctx context.Context, store *replication.Store, name string) (Space, error) {
	tables, err := cfg.open(ctx, name)
	if err != nil {
		return Space{}, err
	}
	defer tables.Close()
	total, err := tables.Count()
	if err != nil {
		return Space{}, fmt.Errorf("space %q: %w", name, err)
	}
	s := Space{Name: name, DeadLetters: tables.DeadLetters()}
	s.Incarnation, s.Position = tables.Log()
	began := time.Now()
	s.Earlier, err = space(ctx, store, name, tables, func(entries uint64) {
		s.Entries = entries
		cfg.Progress(name, entries, max(entries, total))
	})
	s.Kinds, s.Took = tables.Kinds(), time.Since(began)
	if err != nil {
		err = fmt.Errorf("space %q: %w", name, err)
	}
	return s, err
}
