package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/internal/backup"
	"github.com/gospaces/gospaces/internal/fsync"
)

func (a *app) backupCommand() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:         "backup FILE",
		Annotations: map[string]string{noSpace: "a backup holds all spaces"},
		Short:       "Write all spaces of a running server to a file",
		Long: `Write all spaces of a running server to a file, which appears when it is complete. A pipe or a device, such as
/dev/stdout, is written to as it is; what is printed otherwise goes to standard error then.

All spaces are as they were at one moment, while they go on to serve: if what was done in one space is in the
file, so is all that was done before in any other, and a transaction over several spaces is in it as a whole or
not at all. Of a cluster, which --addr names a node of, each partition is as it was at a moment of its own, a few
milliseconds apart, and a transaction over several is in the file as a whole or not at all. The file holds
everything that the server knows: entries with their identities, order and leases, kinds, registrations.`,
		Example: "  gospaces backup spaces.backup\n  gospaces verify spaces.backup\n" +
			"  gospaces restore spaces.backup --data new-folder",
		Args: operands(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.backup(cmd.Context(), args[0], force)
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "replace the file if it is there")
	return cmd
}

// backup writes a backup to path. A regular file is replaced when the backup is complete; a pipe or a device is written
// to directly.
func (a *app) backup(ctx context.Context, path string, force bool) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return a.backupFile(ctx, path)
	case !info.Mode().IsRegular() || a.isStdout(info):
		return a.backupInto(ctx, path, info)
	case !force:
		return fmt.Errorf("%s is there already: name another file, or use --force", path)
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return err
	}
	return a.backupFile(ctx, path)
}

// isStdout reports whether a file is the one that results are printed to.
func (a *app) isStdout(info os.FileInfo) bool {
	out, ok := a.stdout.(*os.File)
	if !ok {
		return false
	}
	is, err := out.Stat()
	return err == nil && os.SameFile(is, info)
}

// backupInto writes a backup to the existing device or pipe at path. If that is standard output, messages go to
// standard error instead.
func (a *app) backupInto(ctx context.Context, path string, info os.FileInfo) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	quiet := *a
	if a.isStdout(info) {
		quiet.stdout = a.stderr
	}
	err = quiet.withServer(ctx, func(c *client.NodeClient) error { return quiet.backupTo(ctx, f, c) })
	return errors.Join(err, f.Close())
}

// backupFile writes a backup to a file beside path and puts it in its place when it is complete.
func (a *app) backupFile(ctx context.Context, path string) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".backup-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	err = a.withServer(ctx, func(c *client.NodeClient) error { return a.backupTo(ctx, f, c) })
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return fsync.Folder(filepath.Dir(path))
}

func (a *app) backupTo(ctx context.Context, to io.Writer, c *client.NodeClient) error {
	taken, err := a.takeBackup(ctx, c)
	if err != nil {
		return err
	}
	defer func() { _ = taken.Close(ctx) }() // otherwise it ends with c
	var parts []backup.Part
	for _, p := range taken.Parts() {
		parts = append(parts, backup.Part{Space: p.Space, Partition: p.Partition, Partitions: p.Partitions})
	}
	w, err := backup.NewWriter(to, parts)
	if err != nil {
		return err
	}
	for _, p := range taken.Parts() {
		if err := a.fetch(ctx, w, taken, p); err != nil {
			return fmt.Errorf("space %q: %w", p.Space, err)
		}
	}
	return w.Close()
}

// fetch adds one part to a backup, and says so.
func (a *app) fetch(ctx context.Context, w *backup.Writer, from snapshots, part client.BackupPart) error {
	var bytes int64
	err := from.Fetch(ctx, part, func(size int64) (io.Writer, error) {
		bytes = size
		to, err := w.Add(size)
		if f, ok := a.stderr.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
			to = io.MultiWriter(to, progressbar.DefaultBytes(size, part.Space))
		}
		return to, err
	})
	if err != nil {
		return err
	}
	line := map[string]any{"space": part.Space, "position": part.Position, "bytes": bytes}
	if part.Partitions > 1 {
		line["partition"] = part.Partition
	}
	return a.printJSON(line)
}

func (a *app) restoreCommand() *cobra.Command {
	var dir string
	var cluster bool
	cmd := &cobra.Command{
		Use:         "restore FILE --data FOLDER | --cluster",
		Annotations: map[string]string{noSpace: "a backup holds all spaces"},
		Short:       "Make the data folder of a new server from a backup, or fill a new cluster",
		Long: `Make the data folder of a new server from a backup. The folder must be new or empty. A server that is started
on it goes on from the backup. Its spaces are new ones to clients and to a database: a mirror begins anew.

With --cluster, make the spaces of a running cluster from a backup, which may be of a single server, as that of a
cluster may be restored to a folder. --addr names a node. A space of the backup must have no entries there, or not
exist. Nothing is served before all is there. If this ends early, whatever the reason, run it again with the same
backup, at any node: it goes on with the first space that is not complete. Or give it up: drop the spaces that
"gospaces spaces" says are being restored. What transactions held is free, and there are no registrations for events.`,
		Example: `  gospaces restore spaces.backup --data new-folder
  gospaces restore spaces.backup --cluster --addr 10.0.0.1:7420`,
		Args: operands(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := folderOrCluster(cmd, cluster); err != nil {
				return err
			}
			f, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer f.Close()
			if cluster {
				return a.restoreCluster(cmd.Context(), f)
			}
			names, err := backup.Restore(cmd.Context(), f, dir)
			err = a.startError(err)
			for _, name := range names {
				if err := a.printJSON(map[string]string{"space": name}); err != nil {
					return err
				}
			}
			return err
		},
	}
	cmd.Flags().StringVar(&dir, "data", "gospaces-data", "folder to make")
	cmd.Flags().BoolVar(&cluster, "cluster", false, "restore into the cluster of which --addr names a node")
	return cmd
}

// folderOrCluster refuses flags that mean nothing together: what is filled is a folder, or a running cluster.
func folderOrCluster(cmd *cobra.Command, cluster bool) error {
	switch {
	case cluster && cmd.Flags().Changed("data"):
		return usage("--data and --cluster exclude each other: the nodes of a cluster have folders of their own")
	case !cluster && cmd.Flags().Changed("addr"):
		return usage("--addr means nothing without --cluster: a folder is filled while no server runs on it")
	}
	return nil
}

func (a *app) verifyCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:         "verify [FILE]",
		Annotations: map[string]string{noAddr: "it reads files", noSpace: "it reads all spaces"},
		Short:       "Read a backup, or the data folder of a stopped server, and say what is in it",
		Long: `Read a backup, or with --data the data folder of a stopped server, to its end and say what is in it. Checksums
are checked and the state is made in memory. What is damaged is named with its place, and the exit code is 1.`,
		Example: "  gospaces verify spaces.backup\n  gospaces verify --data /var/lib/gospaces",
		Args:    operands(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) == 1 && dir != "":
				return usage("name a backup, or a folder with --data, not both")
			case len(args) == 1 && isFolder(args[0]):
				return usage("%s is a folder: to verify the data folder of a server, say --data %s", args[0], args[0])
			case len(args) == 0 && dir == "":
				return usage("name a backup, or a data folder with --data")
			}
			found, err := a.verify(cmd.Context(), args, dir)
			err = a.startError(err)
			for _, s := range found {
				if err := a.printJSON(s); err != nil {
					return err
				}
			}
			return err
		},
	}
	cmd.Flags().StringVar(&dir, "data", "", "folder to read")
	return cmd
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func (a *app) verify(ctx context.Context, args []string, dir string) ([]backup.Space, error) {
	if dir != "" {
		if _, err := os.Stat(dir); err != nil {
			return nil, err
		}
		return backup.VerifyFolder(ctx, dir)
	}
	f, err := os.Open(args[0])
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return backup.Verify(f)
}
