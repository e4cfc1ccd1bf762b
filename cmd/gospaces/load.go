package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/gospaces/gospaces/internal/load"
	"github.com/gospaces/gospaces/replication"
	"github.com/gospaces/gospaces/writeback"
)

const loadHelp = `Fill an empty space of a server that is stopped from the tables that mirror it.

This is for a server whose data folder is lost: a space recovers from its own log, and never looks at the
database by itself. The folder is made if it is not there. A space that has entries is refused. Each space is
loaded as a whole or, if this ends early, not at all: run it again.

Entries keep their identities, which are their order, and their leases; those whose leases have ended meanwhile
expire when the server starts. A server that is started on the folder with --postgres goes on to mirror into the
same tables. With --cluster, the spaces of a running cluster are filled, of which --addr names a node, and its
mirror goes on with the tables; a space must have no entries there, or not exist. If that ends early, run it again:
it goes on with the first space that is not complete, and nothing is served before all are. What the space had
beyond the tables is lost: changes that had not reached the database, entries of kinds that are not mirrored,
registrations, and sessions of clients.`

func (a *app) loadCommand() *cobra.Command {
	var cfg load.Config
	var all, cluster bool
	cmd := &cobra.Command{
		Use:   "load --postgres DSN --data FOLDER | --cluster",
		Short: "Fill an empty space from the tables that mirror it",
		Long:  loadHelp,
		Example: `  gospaces load --data new-folder --postgres 'postgres://app@localhost/app' --all
  gospaces load --data /var/lib/gospaces --space orders
  gospaces serve --data new-folder --postgres 'postgres://app@localhost/app'`,
		Args: noOperands,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case cfg.Postgres == "":
				return usage("--postgres is missing: it names the database, as $GOSPACES_POSTGRES does")
			case all && cmd.Flags().Changed("space"):
				return usage("--space and --all exclude each other")
			case folderOrCluster(cmd, cluster) != nil:
				return folderOrCluster(cmd, cluster)
			case !all:
				cfg.Spaces = []string{a.space}
			}
			p := a.loadProgress()
			cfg.Progress = p.show
			err := a.load(cmd.Context(), &cfg, cluster, p.end)
			if errors.Is(err, writeback.ErrIncomplete) {
				err = fmt.Errorf("%w: --incomplete loads them as they are", err)
			}
			if replication.Unusable(err) {
				err = fmt.Errorf("%w: name a new folder with --data", err)
			}
			return a.startError(err)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&cfg.Dir, "data", "gospaces-data", "folder of the log; made if it is not there")
	flags.StringVar(&cfg.Postgres, "postgres", "", "connection string of the PostgreSQL database")
	fromEnvironment(flags)
	flags.BoolVar(&all, "all", false, "load all spaces that the database mirrors")
	flags.BoolVar(&cluster, "cluster", false, "load spaces of the cluster of which --addr names a node")
	flags.BoolVar(&cfg.Incomplete, "incomplete", false, "load tables too that lack rows, as far as the mirror knows")
	return cmd
}

func (a *app) load(ctx context.Context, cfg *load.Config, cluster bool, end func()) error {
	if cluster {
		return a.loadCluster(ctx, cfg, end)
	}
	return load.Folder(ctx, *cfg, func(s load.Space) error {
		end()
		return a.printJSON(newLoaded(s))
	})
}

// loaded is what `gospaces load` prints for a space.
type loaded struct {
	Space       string            `json:"space"`
	Position    uint64            `json:"position"` // of the mirror
	Entries     map[string]uint64 `json:"entries"`
	NotMirrored []string          `json:"not_mirrored,omitempty"` // kinds without tables to load
	DeadLetters int               `json:"dead_letters,omitempty"`
	Earlier     bool              `json:"loaded_before,omitempty"`
	Seconds     float64           `json:"seconds"`
	Rate        int               `json:"entries_per_second"`
}

func newLoaded(s load.Space) loaded {
	l := loaded{
		Space: s.Name, Position: s.Position, Entries: map[string]uint64{}, DeadLetters: s.DeadLetters, Earlier: s.Earlier,
		Seconds: s.Took.Round(time.Millisecond).Seconds(), Rate: int(float64(s.Entries) / s.Took.Seconds()),
	}
	for _, k := range s.Kinds {
		switch {
		case k.Dropped:
		case k.Mode == writeback.None:
			l.NotMirrored = append(l.NotMirrored, k.Name)
		default:
			l.Entries[k.Name] = k.Entries
		}
	}
	return l
}

// loadProgress shows the progress of a load: a bar on a terminal, elsewhere a line now and then.
type loadProgress struct {
	a     *app
	bar   *progressbar.ProgressBar // of the present space; nil before it, and where there is no terminal
	began time.Time
	next  time.Time // of the next line
}

// progressEvery is the time between two lines of progress.
const progressEvery = 5 * time.Second

func (a *app) loadProgress() *loadProgress { return &loadProgress{a: a} }

func (p *loadProgress) show(space string, entries, total uint64) {
	now := time.Now()
	if f, ok := p.a.stderr.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		if p.bar == nil {
			p.bar = progressbar.NewOptions64(int64(total), progressbar.OptionSetDescription(space),
				progressbar.OptionSetWriter(f),
				progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString("entries"),
				progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetPredictTime(true),
				progressbar.OptionOnCompletion(func() { fmt.Fprintln(f) }))
		}
		_ = p.bar.Set64(int64(entries)) // a failure to show progress is no reason to stop
		return
	}
	if p.began.IsZero() {
		p.began, p.next = now, now.Add(progressEvery)
	}
	if now.Before(p.next) || total == 0 {
		return
	}
	p.next = now.Add(progressEvery)
	fmt.Fprintf(p.a.stderr, "gospaces: space %q: %d of %d entries (%d %%), %.0f a second\n",
		space, entries, total, entries*100/total, float64(entries)/now.Sub(p.began).Seconds())
}

// end prepares for the next space.
func (p *loadProgress) end() { *p = loadProgress{a: p.a} }
