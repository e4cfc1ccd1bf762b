package writeback

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"runtime"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lib/pq"
)

// Config configures a Writer. DSN and Space are required; other fields have defaults.
type Config struct {
	DSN   string // of the database, for lib/pq: a URL or a list of key=value; ignored with a Pool
	Pool  *Pool  // connections shared with other Writers; nil: the Writer's own, one for each of Lanes
	Space string // name of the space; determines the schema of its tables

	// Partition is the partition of the space whose log the Writer follows, of Partitions; 0 means 1. The Writers of a
	// space share its tables: each has the rows of the entries of its own partition.
	Partition, Partitions int

	Modes Modes // of kinds; nil: Mirror for all

	Logger *slog.Logger // nil: silent

	// BatchBytes and BatchRecords limit one batch, which is one database transaction. A batch ends with the group that
	// reaches either limit. Two batches are in memory at a time. 0: 8 MiB and 50000.
	BatchBytes   int
	BatchRecords int

	// Lanes is the maximum number of connections over which a large batch is written concurrently; with n lanes a batch
	// may be n times as large as BatchBytes and BatchRecords. LaneRows is the minimum number of changed rows for each
	// lane: a batch with fewer than twice as many uses one connection. 0: DefaultLanes(), and 10000.
	Lanes    int
	LaneRows int

	// FlushInterval is the time for which a batch gathers records before it is written. Entries that come and go within
	// that time never reach the database. Flush does not wait for it. 0: 50 ms.
	FlushInterval time.Duration

	// RetryMin and RetryMax limit the pause before the next attempt after a failure, which doubles each time. 0: 100 ms
	// and 15 s.
	RetryMin, RetryMax time.Duration

	// PingInterval is the interval at which the writer checks the connection, the tables, and the number of dead letters.
	// 0: 5 s.
	PingInterval time.Duration

	// RefillInterval is the interval at which the writer tries to refill tables that have lost rows, if that was not
	// possible before. 0: 1 min.
	RefillInterval time.Duration
}

// withDefaults returns a copy of cfg with defaults for zero fields, or an error that names every invalid setting.
func (cfg Config) withDefaults() (Config, error) {
	cfg.Modes = maps.Clone(cfg.Modes)
	cfg.Partitions = cmp.Or(cfg.Partitions, 1)
	cfg.Logger = cmp.Or(cfg.Logger, slog.New(slog.DiscardHandler))
	cfg.BatchBytes = cmp.Or(cfg.BatchBytes, 8<<20)
	cfg.BatchRecords = cmp.Or(cfg.BatchRecords, 50_000)
	cfg.Lanes = cmp.Or(cfg.Lanes, DefaultLanes())
	cfg.LaneRows = cmp.Or(cfg.LaneRows, 10_000)
	cfg.FlushInterval = cmp.Or(cfg.FlushInterval, 50*time.Millisecond)
	cfg.RetryMax = cmp.Or(cfg.RetryMax, max(15*time.Second, cfg.RetryMin))
	cfg.RetryMin = cmp.Or(cfg.RetryMin, min(100*time.Millisecond, cfg.RetryMax))
	cfg.PingInterval = cmp.Or(cfg.PingInterval, 5*time.Second)
	cfg.RefillInterval = cmp.Or(cfg.RefillInterval, time.Minute)
	return cfg, cfg.check()
}

// MaxLanes is the maximum number of connections for one batch.
const MaxLanes = 64

// DefaultLanes returns the default number of lanes: one for each processor that the program may use, at most four. Most
// of the work of a lane is PostgreSQL's, which often runs on the same machine; on two processors the second lane was
// measured to add a fifth.
func DefaultLanes() int { return min(4, runtime.GOMAXPROCS(0)) }

// badDSN describes the fault of a connection string without showing the string: it may contain a password, and errors
// are logged.
func badDSN(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	return fmt.Errorf("%w: %w", ErrDSN, err)
}

// ErrDSN is returned for a connection string that is none.
var ErrDSN = errors.New("writeback: DSN")

func (cfg Config) check() error {
	var errs []error
	if _, err := pq.NewConnector(cfg.DSN); cfg.Pool == nil && (err != nil || cfg.DSN == "") {
		errs = append(errs, badDSN(cmp.Or(err, errors.New("empty"))))
	}
	if cfg.Space == "" || !utf8.ValidString(cfg.Space) || strings.ContainsRune(cfg.Space, 0) {
		errs = append(errs, fmt.Errorf("writeback: Space: no name: %q", cfg.Space))
	}
	if cfg.Partition < 0 || cfg.Partition >= cfg.Partitions {
		errs = append(errs, fmt.Errorf("writeback: Partition is %d of %d", cfg.Partition, cfg.Partitions))
	}
	if cfg.BatchBytes < 0 || cfg.BatchRecords < 0 {
		errs = append(errs, errors.New("writeback: BatchBytes and BatchRecords may not be negative"))
	}
	if cfg.Lanes < 0 || cfg.Lanes > MaxLanes || cfg.LaneRows < 0 {
		errs = append(errs, fmt.Errorf("writeback: Lanes must be from 1 to %d, and LaneRows may not be negative", MaxLanes))
	}
	if cfg.FlushInterval < 0 || cfg.PingInterval < 0 || cfg.RefillInterval < 0 || cfg.RetryMin < 0 ||
		cfg.RetryMax < cfg.RetryMin {
		errs = append(errs, errors.New("writeback: intervals may not be negative, nor RetryMax less than RetryMin"))
	}
	return errors.Join(append(errs, cfg.Modes.check())...)
}
