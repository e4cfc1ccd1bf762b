package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gospaces/gospaces/node"
	"github.com/gospaces/gospaces/replication"
	"github.com/gospaces/gospaces/writeback"
)

// serveFlags are the values of the flags of serve: the settings of the node, and those of the program.
type serveFlags struct {
	node.Config

	cluster   clusterFlags
	config    string
	flush     time.Duration
	logLevel  slog.LevelVar
	logFormat string
}

func (a *app) serveCommand() *cobra.Command {
	f := serveFlags{Config: node.Config{Mirror: writeback.Modes{}}}
	cmd := &cobra.Command{
		Use: "serve",
		Annotations: map[string]string{
			noAddr:  "say where to serve with --listen",
			noSpace: "a server has all spaces of its folder, and clients name theirs",
		},
		Short: "Run a server until it is interrupted",
		Long: `Run a server until it is interrupted (SIGINT or SIGTERM; a second one ends it at once).

It prints one line with its address when it is ready, which after a restart is when it has read its log. What an
acknowledgement survives is the durability: memory (nothing), logged (kill -9 of the server), synced (loss of
power). With --cluster the server is one of several nodes, and each change is on most of those that have its space.
With --postgres every kind is mirrored to a table, in the background; --mirror says what else may become
of a kind.

Settings come from flags, else from the environment, else from the file that --config names, whose lines
read "name = value" with the names of the flags.`,
		Example: `  gospaces serve --data /var/lib/gospaces
  GOSPACES_POSTGRES='postgres://app@localhost/app' gospaces serve --durability synced
  gospaces serve --durability memory --listen localhost:0`,
		Args: noOperands,
	}
	f.addTo(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := a.readConfig(cmd, f.config); err != nil {
			return usageError{err}
		}
		if err := cmp.Or(checkNumbers(cmd.LocalFlags()), f.cluster.checkAlone(cmd.LocalFlags())); err != nil {
			return err
		}
		return a.serve(cmd.Context(), &f)
	}
	return cmd
}

// addTo adds the flags.
func (f *serveFlags) addTo(flags *pflag.FlagSet) {
	flags.StringVar(&f.Listen, "listen", "127.0.0.1:7420",
		"address to serve on; port 0 takes any free one, :7420 serves other machines, too")
	flags.StringVar(&f.Admin, "admin", "",
		"address for operators, as in 127.0.0.1:7421: /healthz, /readyz, /metrics and /debug/pprof over HTTP; none: off")
	flags.StringVar(&f.Data, "data", "gospaces-data", "folder of the log; made if it is not there")
	flags.StringVar(&f.Durability, "durability", "",
		"memory, logged (the default) or synced; in a cluster replicated (the default), replicated-synced "+
			"or replicated-memory")
	flags.StringVar(&f.Postgres, "postgres", "",
		"connection string of the PostgreSQL database to mirror to (…?sslmode=disable without TLS); none: no mirror")
	flags.Var(modes(f.Mirror), "mirror",
		"how kinds are mirrored: mirror, append (an archive) or none, as in audit=append,*=none; default: mirror")
	flags.Int64Var(&f.MirrorLog, "mirror-log", 1<<30,
		"bytes of a log that are kept for a database that is away or slow; --mirror-full says what happens beyond")
	flags.StringVar(&f.MirrorFull, "mirror-full", "rebase",
		"when --mirror-log is reached: rebase (the mirror goes on from a snapshot), "+
			"block (changes wait) or refuse (they fail)")
	flags.IntVar(&f.Conns, "postgres-conns", 0, fmt.Sprintf(
		"most connections to the database, of all spaces together, in a cluster of all nodes together, at least one each; "+
			"0: %d, in a cluster %d", writeback.DefaultConns, 2*writeback.DefaultConns))
	flags.IntVar(&f.Lanes, "mirror-lanes", 0,
		"most connections that the mirror of a space writes over; 0: one for each processor, four at most")
	flags.IntVar(&f.MaxEntry, "max-entry", 1<<20, "bytes that one entry may have")
	flags.DurationVar(&f.MaxLease, "max-lease", 0, "longest lease that an entry is granted; 0: no bound")
	flags.DurationVar(&f.MaxListen, "max-listen", 0,
		"longest lease that a registration for events is granted; 0: no bound")
	flags.DurationVar(&f.MaxTxn, "max-txn", 0, "longest lease that a transaction is granted; 0: no bound")
	flags.Int64Var(&f.SnapshotBytes, "snapshot-bytes", 64<<20,
		"bytes by which a log grows, at least, before the next snapshot is taken")
	flags.DurationVar(&f.SnapshotEvery, "snapshot-every", time.Hour,
		"time after which a snapshot is taken however little has changed")
	flags.Int64Var(&f.EventLog, "event-log", 1<<30,
		"bytes of a log that are kept for registrations which do not collect their events")
	addLimits(flags, &f.Limits)
	f.cluster.addTo(flags)
	flags.DurationVar(&f.flush, "flush-timeout", 10*time.Second, "how long a stop waits for calls, log and mirror")
	flags.Var(levelValue{&f.logLevel}, "log-level", "least level to log: debug, info, warn or error")
	flags.StringVar(&f.logFormat, "log-format", "text", "text or json")
	mayBeZero(flags, "postgres-conns", "mirror-lanes", "max-lease", "max-listen", "max-txn", "max-kind-entries",
		"flush-timeout")
	fromEnvironment(flags)
	flags.StringVar(&f.config, "config", "", "file with settings")
	flags.BoolVar(&f.AcceptLoss, "accept-loss", false,
		"go on with what is left of logs that are damaged, or have lost something; say it once, when a start asks for it")
}

// readConfig applies the settings of a file to the flags that neither the command line nor the environment has set.
func (a *app) readConfig(cmd *cobra.Command, path string) error {
	if path == "" {
		return nil
	}
	file, err := readSettings(path, cmd.LocalFlags())
	if err != nil {
		return err
	}
	return settle(cmd.Flags(), a.env, file)
}

// serve runs a node until ctx ends and then stops it in good order, within the flush timeout.
func (a *app) serve(ctx context.Context, f *serveFlags) error {
	logger, err := a.logger(f)
	if err != nil {
		return err
	}
	cfg := f.Config
	cfg.Logger, cfg.Version = logger, thisBuild().Version
	if cfg.Cluster, err = f.cluster.config(); err != nil {
		return usageError{err}
	}
	if err := settingsError(cfg.Check()); err != nil {
		return err
	}
	enforce(&cfg.Limits)
	n, err := node.Start(ctx, cfg)
	if err := settingsError(err); err != nil {
		return err
	}
	if replication.Unusable(err) {
		return fmt.Errorf("%w: give the folder its files back, restore a backup or load the tables into a new folder, "+
			"or go on without what is lost with --accept-loss", err)
	}
	if err != nil {
		return a.startError(err)
	}
	fmt.Fprintf(a.stdout, "gospaces: ready at %s\n", n.Addr())
	select {
	case <-ctx.Done():
	case <-n.Lost():
		return endLost(n)
	}
	logger.Info("stopping", "timeout", f.flush)
	began := time.Now()
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), f.flush)
	defer cancel()
	err = n.Close(stop)
	logger.Info("stopped", "took", time.Since(began).Round(time.Millisecond))
	return err
}

// endLost ends a node whose name belongs to another folder, at once: nothing that it still has counts.
func endLost(n *node.Node) error {
	over, cancel := context.WithCancel(context.Background())
	cancel()
	_ = n.Close(over)
	return n.Err()
}

// startError adds advice to an error about a folder or database that was named on the command line.
func (a *app) startError(err error) error {
	switch {
	case errors.Is(err, replication.ErrInUse):
		return fmt.Errorf("%w: stop it, or name another folder with --data", err)
	case errors.Is(err, replication.ErrNotOwner):
		return usage("%w: name another folder with --data", err)
	case errors.Is(err, writeback.ErrDSN):
		return usage(
			"--postgres, or $GOSPACES_POSTGRES, is no connection string such as postgres://user@host/database: %w", err)
	}
	return err
}

func (a *app) logger(f *serveFlags) (*slog.Logger, error) {
	options := &slog.HandlerOptions{Level: &f.logLevel}
	switch f.logFormat {
	case "text":
		return slog.New(slog.NewTextHandler(a.stderr, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(a.stderr, options)), nil
	}
	return nil, usage("--log-format is %q; it is text or json", f.logFormat)
}
