package load

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/gospaces/gospaces/internal/backup"
	"github.com/gospaces/gospaces/replication"
	"github.com/gospaces/gospaces/txn"
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
	Partitions  int
	Incarnation string // of the first partition
	Position    uint64 // position of its tables in the log of that incarnation
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
	total, err := Count(tables)
	if err != nil {
		return Space{}, fmt.Errorf("space %q: %w", name, err)
	}
	s, began := Describe(name, tables), time.Now()
	s.Earlier = true
	if err := samePartitions(ctx, store, name, s.Partitions); err != nil {
		return s, fmt.Errorf("space %q: %w", name, err)
	}
	// The first partition comes last: without its log there is no space.
	for p, part := range slices.Backward(tables.Parts()) {
		before := s.Entries
		earlier, err := partition(ctx, store, name, p, part, func(entries uint64) {
			s.Entries = before + entries
			cfg.Progress(name, s.Entries, max(s.Entries, total))
		})
		if err != nil {
			return s, fmt.Errorf("space %q: %w", txn.Address{Space: name, Partition: uint16(p)}, err)
		}
		s.Earlier = s.Earlier && earlier
		s.Add(part)
	}
	s.Took = time.Since(began)
	return s, nil
}

// Describe returns what is known of a space before its tables are read.
func Describe(name string, tables *writeback.Tables) Space {
	s := Space{Name: name, Partitions: len(tables.Parts())}
	s.Incarnation, s.Position = tables.Parts()[0].Log()
	return s
}

// Add adds the kinds and dead letters of a partition that was read.
func (s *Space) Add(part *writeback.Part) {
	s.DeadLetters += part.DeadLetters()
	s.Kinds = addKinds(s.Kinds, part.Kinds())
}

// Count returns the approximate number of rows in tables.
func Count(tables *writeback.Tables) (total uint64, err error) {
	for _, part := range tables.Parts() {
		n, err := part.Count()
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}

// samePartitions returns ErrNotEmpty if the folder has the space with another number of partitions than the tables.
func samePartitions(ctx context.Context, store *replication.Store, name string, partitions int) error {
	spaces, err := store.Spaces(ctx)
	if err != nil {
		return err
	}
	if have := spaces[name]; len(have) > 0 && have[0] == 0 && have[len(have)-1]+1 != partitions {
		return fmt.Errorf("%w: it has %d partitions, and the tables are of %d", ErrNotEmpty, have[len(have)-1]+1, partitions)
	}
	return nil
}

// addKinds adds the kinds of a partition to those of others.
func addKinds(kinds, more []writeback.KindRows) []writeback.KindRows {
	for _, k := range more {
		i := slices.IndexFunc(kinds, func(have writeback.KindRows) bool {
			return have.Name == k.Name && have.Mode == k.Mode && have.Dropped == k.Dropped
		})
		if i < 0 {
			kinds = append(kinds, k)
		} else {
			kinds[i].Entries += k.Entries
		}
	}
	return kinds
}
