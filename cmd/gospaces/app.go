package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"

	"github.com/spf13/cobra"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/replication"
	"github.com/gospaces/gospaces/space"
)

// app is what all commands share: the outside world, and the global flags.
type app struct {
	env    environment
	stdin  io.Reader
	stdout io.Writer // results, as JSON lines
	stderr io.Writer // everything else

	addr    string // of the server
	space   string // which space of it
	unknown bool   // the server has no such space
	running bool   // the command line was understood; what fails now is not a mistake in usage
}

const longHelp = `Gospaces is a tuple space: programs write entries, others read or take them by template,
and wait for those that are not there yet.

Results go to standard output as JSON, one line each; messages go to standard error.

Exit codes: 0 done, 1 error, 2 the command line or the JSON is wrong, 3 nothing matched, 4 the log or the space
is full: try again later, 141 the reader of the output has gone.

Settings that name an environment variable may be given by it. Flags override environment variables.`

const examples = `  gospaces serve --data /var/lib/gospaces
  gospaces write job '{"id": 7, "state": "new", "priority": 5}'
  gospaces take job '{"state": "new"}' --where 'priority >= 5' --order -priority --wait 10s
  gospaces watch job`

// run does what args say and returns the exit code.
func run(ctx context.Context, args []string, env environment, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{env: env, stdin: stdin, stdout: stdout, stderr: stderr}
	root := a.command()
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	return a.exit(cmd, err)
}

// command returns the tree of all commands.
func (a *app) command() *cobra.Command {
	root := group(&cobra.Command{
		Use:           "gospaces",
		Short:         "A tuple space: server and command line",
		Long:          longHelp,
		Example:       examples,
		SilenceErrors: true, // exit prints them
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := errors.Join(a.env.check(cmd.Root()), checkBlank(cmd.Flags()), checkGlobal(cmd),
				settle(cmd.Flags(), a.env, nil)); err != nil {
				return err
			}
			if err := checkSpace(a.space); err != nil {
				return usage("--space, or $GOSPACES_SPACE, is wrong: %w", err)
			}
			a.running = true
			return nil
		},
	})
	root.Version = thisBuild().Version
	root.Flags().Bool("version", false, "print the version of this program")
	root.SetVersionTemplate("gospaces {{.Version}}\n")
	root.SetFlagErrorFunc(flagError)
	root.SetHelpCommand(helpCommand())
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	flags := root.PersistentFlags()
	flags.StringVar(&a.addr, "addr", "localhost:7420",
		"address of the server, or several, separated by commas, to be tried in turn")
	flags.StringVar(&a.space, "space", "default", "name of the space")
	fromEnvironment(flags)
	root.AddCommand(
		a.serveCommand(), a.writeCommand(), a.readCommand(), a.takeCommand(), a.watchCommand(), a.countCommand(),
		a.renewCommand(), a.cancelCommand(), a.txnCommand(), a.outcomeCommand(),
		a.kindsCommand(), a.spacesCommand(), a.statusCommand(), a.clusterCommand(), a.registrationsCommand(),
		a.deadLettersCommand(),
		a.snapshotCommand(),
		a.backupCommand(), a.restoreCommand(), a.loadCommand(), a.verifyCommand(), a.benchCommand(), a.versionCommand(),
	)
	return root
}

// dial connects to the server and the space that the global flags name. The caller closes the client.
func (a *app) dial(ctx context.Context) (*client.Client, error) {
	c, err := client.DialConfig(ctx, a.clientConfig())
	return c, a.dialError(err)
}

func (a *app) clientConfig() client.Config {
	return client.Config{Addr: a.addr, Space: a.space, Logger: a.warnings()}
}

// dialError says what to do about the error of a connection.
func (a *app) dialError(err error) error {
	failed, refused := errors.AsType[*net.OpError](err)
	switch {
	case refused:
		return fmt.Errorf("no server at %s: start one with `gospaces serve`, or name another with --addr (%w)", a.addr,
			failed)
	case errors.Is(err, space.ErrInvalidArgument):
		return usageError{err}
	case errors.Is(err, client.ErrNoAnswer):
		return fmt.Errorf("something listens at %s, and does not answer: a server that hangs, or another program (%w)",
			a.addr, err)
	case errors.Is(err, client.ErrNotServer):
		return fmt.Errorf("what listens at %s does not answer as a gospaces server: name another with --addr (%w)",
			a.addr, err)
	}
	return err
}

// checkSpace returns an error for a string that cannot be the name of a space.
func checkSpace(name string) error {
	if err := replication.ValidName(name); err != nil {
		return fmt.Errorf("%q is no name for a space, which has 1 to 64 letters, digits, hyphens and underscores", name)
	}
	return nil
}

// warnings returns a logger for what the user of a waiting command should know. It prints no times.
func (a *app) warnings() *slog.Logger {
	return slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{
		Level: slog.LevelWarn,
		ReplaceAttr: func(groups []string, attr slog.Attr) slog.Attr {
			if len(groups) == 0 && attr.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return attr
		},
	}))
}

// withClient calls do with a connection that is closed afterwards.
func (a *app) withClient(ctx context.Context, do func(*client.Client) error) error {
	c, err := a.dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	return do(c)
}

// withServer calls do with a connection to one server, for a command about all spaces: it opens none of them. In a
// cluster without a majority of the control partition, where such commands wait in vain, it says so.
func (a *app) withServer(ctx context.Context, do func(*client.NodeClient) error) error {
	return a.withNode(ctx, func(n *client.NodeClient) error {
		// A server that does not tell is taken to be about to.
		if _, st, err := a.readCluster(ctx, n); err == nil && st.Control.Minority {
			return fmt.Errorf("control partition: %s: see `gospaces cluster status`", st.Control.Why)
		}
		return do(n)
	})
}

// withNode calls do with a connection to one server, which is closed afterwards.
func (a *app) withNode(ctx context.Context, do func(*client.NodeClient) error) error {
	n, err := client.DialNode(ctx, a.clientConfig())
	if err != nil {
		return a.dialError(err)
	}
	defer n.Close()
	return do(n)
}

// withSpace calls do with the space that the global flags name.
func (a *app) withSpace(ctx context.Context, do func(space.Space) error) error {
	return a.withClient(ctx, func(c *client.Client) error { return do(c) })
}
