package writeback

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lib/pq"
)

// Config configures a Writer. DSN and Space are required; what else is zero has a good default.
type Config struct {
	DSN   string // of the database, for lib/pq: a URL or a list of key=value
	Space string // name of the space; decides the schema that its tables are in

	Modes Modes // of kinds; nil: Mirror for all

	Logger *slog.Logger // nil: silent

	// BatchBytes and BatchRecords bound one batch, which is what one database transaction takes over. A batch ends
	// with the group that reaches either. Two batches are in memory at a time. 0: 8 MiB and 50000.
	BatchBytes   int
	BatchRecords int

	// FlushInterval is how long a batch gathers records before it is written. Entries that come and go within that
	// time never touch the database. Flush does not wait for it. 0: 50 ms.
	FlushInterval time.Duration

	// RetryMin and RetryMax bound the pause before the next attempt after a failure; it doubles from one to the
	// other. 0: 100 ms and 15 s.
	RetryMin, RetryMax time.Duration

	// PingInterval is how often the writer looks whether the database is still there, the tables are as they should be, and
	// how many dead letters there are. 0: 5 s.
	PingInterval time.Duration

	// RefillInterval is how often the writer tries to fill tables that have lost rows, if that was not possible before. 0: 1 min.
	RefillInterval time.Duration
}

// withDefaults returns a copy of cfg without zeros, or an error that names every setting that is wrong.
func (cfg Config) withDefaults() (Config, error) {
	cfg.Modes = maps.Clone(cfg.Modes)
	cfg.Logger = cmp.Or(cfg.Logger, slog.New(slog.DiscardHandler))
	cfg.BatchBytes = cmp.Or(cfg.BatchBytes, 8<<20)
	cfg.BatchRecords = cmp.Or(cfg.BatchRecords, 50_000)
	cfg.FlushInterval = cmp.Or(cfg.FlushInterval, 50*time.Millisecond)
	cfg.RetryMax = cmp.Or(cfg.RetryMax, max(15*time.Second, cfg.RetryMin))
	cfg.RetryMin = cmp.Or(cfg.RetryMin, min(100*time.Millisecond, cfg.RetryMax))
	cfg.PingInterval = cmp.Or(cfg.PingInterval, 5*time.Second)
	cfg.RefillInterval = cmp.Or(cfg.RefillInterval, time.Minute)
	return cfg, cfg.check()
}

func (cfg Config) check() error {
	var errs []error
	if _, err := pq.NewConnector(cfg.DSN); err != nil || cfg.DSN == "" {
		errs = append(errs, fmt.Errorf("writeback: DSN: %w", cmp.Or(err, errors.New("empty"))))
	}
	if cfg.Space == "" || !utf8.ValidString(cfg.Space) || strings.ContainsRune(cfg.Space, 0) {
		errs = append(errs, fmt.Errorf("writeback: Space: no name: %q", cfg.Space))
	}
	if cfg.BatchBytes < 0 || cfg.BatchRecords < 0 {
		errs = append(errs, errors.New("writeback: BatchBytes and BatchRecords may not be negative"))
	}
	if cfg.FlushInterval < 0 || cfg.PingInterval < 0 || cfg.RefillInterval < 0 || cfg.RetryMin < 0 || cfg.RetryMax < cfg.RetryMin {
		errs = append(errs, errors.New("writeback: intervals may not be negative, nor RetryMax less than RetryMin"))
	}
	return errors.Join(append(errs, cfg.Modes.check())...)
}
