package replication

import (
	"cmp"
	"errors"
	"log/slog"
)

// Config configures a Store. Only Dir must be set.
type Config struct {
	Dir      string       // folder of the logs; created if missing, and locked for one process at a time
	Sync     bool         // fsync before each acknowledgement, to survive power loss, not only the end of the process
	MaxBytes int64        // limit of each log, by the size of its files; 0: limited by the disk
	MinFree  int64        // appends that would leave less free disk space are refused; 0: 64 MiB
	Logger   *slog.Logger // nil: silent

	// Followers is set if logs have followers besides their primary (Store.Replica). The server publishes each message
	// to them, which costs each append a few microseconds.
	Followers bool

	// Cluster makes the store a node of a cluster; nil: this process alone has the logs.
	Cluster *Cluster

	// Waits is called when Open begins to wait for other nodes, and whenever the reason changes, with that, such as
	// "waits for a majority: 1 of 3 nodes are there". It must not block. It may be nil.
	Waits func(why string)

	// AcceptLoss continues logs that are lost, or have lost their end, with what is left. Each becomes another
	// incarnation, and tells its readers that identities may have been lost (record.Lost).
	AcceptLoss bool

	// Unfinished makes a new folder that cannot be opened before Finish, so that no server starts with part of its
	// content.
	Unfinished bool
}

// withDefaults returns a valid copy of cfg, or a SettingError for each thing that is wrong with it.
func (cfg Config) withDefaults() (Config, error) {
	var errs []error
	if cfg.Dir == "" {
		errs = append(errs, wrong("Dir", "is empty"))
	}
	if cfg.MaxBytes < 0 {
		errs = append(errs, wrong("MaxBytes", "is negative"))
	}
	if cfg.MinFree < 0 {
		errs = append(errs, wrong("MinFree", "is negative"))
	}
	if cfg.Cluster != nil {
		errs = append(errs, cfg.Cluster.Check())
		cfg.Followers = true
	}
	cfg.MinFree = cmp.Or(cfg.MinFree, 64<<20)
	cfg.Logger = cmp.Or(cfg.Logger, slog.New(slog.DiscardHandler))
	if cfg.Waits == nil {
		cfg.Waits = func(string) {}
	}
	return cfg, errors.Join(errs...)
}

// owner returns the owner of the folder.
func (cfg Config) owner() owner {
	if c := cfg.Cluster; c != nil {
		return owner{Mode: modeCluster, Cluster: c.Name, Node: c.Node, Outside: c.NATS != nil}
	}
	return owner{Mode: modeStandalone}
}
