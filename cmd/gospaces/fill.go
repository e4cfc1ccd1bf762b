package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/internal/backup"
	"github.com/gospaces/gospaces/internal/load"
	"github.com/gospaces/gospaces/node"
	"github.com/gospaces/gospaces/replication"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/txn"
	"github.com/gospaces/gospaces/writeback"
)

// filler fills spaces of a cluster through one of its nodes. No client sees anything of them before all are filled.
type filler struct {
	c        *client.NodeClient
	stderr   io.Writer
	from     string                 // identifies what they are filled with
	numbers  map[txn.Address]uint64 // of requests
	complete []string               // spaces that are filled
}

// filled fills spaces that are not there, or have no entries, and has all of them served at once. It calls fill with a
// filler that knows which of them an earlier run, which was interrupted, has filled from the same source.
func (a *app) filled(ctx context.Context, from string, spaces []string, fill func(*filler) error) error {
	return a.withServer(ctx, func(c *client.NodeClient) error {
		t, err := c.Topology(ctx)
		switch {
		case err != nil:
			return err
		case len(t.Nodes) == 0:
			return a.noCluster()
		}
		f := &filler{c: c, stderr: a.stderr, from: from, numbers: map[txn.Address]uint64{}}
		if err := f.look(ctx, a, spaces); err != nil {
			return err
		}
		err = fill(f)
		if err == nil {
			err = f.open(ctx, spaces)
		}
		if err != nil {
			err = fmt.Errorf("%w: repeat the command, which goes on where this ended", err)
		}
		return err
	})
}

// look finds out how far an earlier run has come. It returns an error if one of some spaces cannot be filled.
func (f *filler) look(ctx context.Context, a *app, spaces []string) error {
	answer, err := ask(ctx, f.c, &node.ManageRequest{Filling: &node.SourceRequest{From: f.from, Spaces: spaces}})
	if err != nil {
		return err
	}
	if len(answer.Stages) != len(spaces) {
		return errors.New("the node that was asked does not say how far the spaces are")
	}
	for i, name := range spaces {
		switch answer.Stages[i] {
		case node.Present:
			err = a.checkEmpty(ctx, name)
		case node.Elsewhere:
			err = fmt.Errorf("space %q is being restored or loaded from elsewhere: "+
				"let that end, repeat it if it was interrupted, or drop the space first", name)
		case node.Complete:
			f.complete = append(f.complete, name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// checkEmpty returns an error if a space has entries.
func (a *app) checkEmpty(ctx context.Context, name string) error {
	kinds, err := a.kindsOf(ctx, name)
	if err != nil {
		return err
	}
	for _, k := range kinds {
		if n := k.Count + k.Held + k.Delayed; n > 0 {
			advice := "drop it first, or take what it has"
			if name == client.DefaultSpace { // it cannot be dropped
				advice = "take what it has first"
			}
			return fmt.Errorf("space %q is not empty: it has %s of kind %q; %s", name, entries(n), k.Schema.Kind,
				advice)
		}
	}
	return nil
}

// kindsOf returns the kinds of a space, which it opens.
func (a *app) kindsOf(ctx context.Context, name string) ([]space.KindInfo, error) {
	cfg := a.clientConfig()
	cfg.Space = name
	c, err := client.DialConfig(ctx, cfg)
	if err != nil {
		return nil, a.dialError(err)
	}
	defer c.Close()
	return c.Kinds(ctx)
}

// slowly tells what is waited for, if that takes some seconds, until its result is called.
func (f *filler) slowly(what string) (done func() bool) {
	return time.AfterFunc(3*time.Second, func() {
		fmt.Fprintf(f.stderr, "gospaces: waiting for %s; a node that is down makes that slow\n", what)
	}).Stop
}

// begin begins a space.
func (f *filler) begin(ctx context.Context, space string, partitions int) error {
	defer f.slowly(fmt.Sprintf("the logs of space %q", space))()
	_, err := ask(ctx, f.c, &node.ManageRequest{Fill: &node.FillRequest{
		Space: space, Partitions: partitions, From: f.from,
	}})
	return err
}

// write gives a partition more records. h tells the clock at which they were true; the zero value is now.
func (f *filler) write(
	ctx context.Context, space string, partition int, h replication.SnapshotHeader, records []byte,
) error {
	at := txn.Address{Space: space, Partition: uint16(partition)}
	f.numbers[at]++
	_, err := ask(ctx, f.c, &node.ManageRequest{Records: &node.FillRecords{
		Space: space, Partition: at.Partition, Number: f.numbers[at], Clock: h.Clock, Records: records,
	}})
	return err
}

// seal ends the records of a space, and returns its partitions.
func (f *filler) seal(ctx context.Context, space string) ([]node.FilledPart, error) {
	answer, err := ask(ctx, f.c, &node.ManageRequest{Seal: &node.SealRequest{Space: space}})
	return answer.Parts, err
}

// end ends a space, which is sealed.
func (f *filler) end(ctx context.Context, space string) error {
	_, err := ask(ctx, f.c, &node.ManageRequest{Filled: &node.FilledRequest{Space: space}})
	return err
}

// open has all spaces served, which are filled.
func (f *filler) open(ctx context.Context, spaces []string) error {
	defer f.slowly("the spaces to be served")()
	_, err := ask(ctx, f.c, &node.ManageRequest{Open: &node.SourceRequest{From: f.from, Spaces: spaces}})
	if err == nil {
		_, err = ask(ctx, f.c, &node.ManageRequest{Finish: &node.SourceRequest{From: f.from}})
	}
	return err
}

// restoreCluster restores a backup into a running cluster.
func (a *app) restoreCluster(ctx context.Context, file *os.File) error {
	digest := sha256.New()
	parts, err := backup.Check(io.TeeReader(file, digest))
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return err
	}
	var names []string
	for _, p := range parts {
		if !slices.Contains(names, p.Space) {
			names = append(names, p.Space)
		}
	}
	err = a.filled(ctx, fmt.Sprintf("backup %x", digest.Sum(nil)), names, func(f *filler) error {
		for _, name := range f.complete {
			fmt.Fprintf(a.stderr, "gospaces: space %q was restored when the command was interrupted, "+
				"and stays as it is\n", name)
		}
		return f.restore(ctx, file)
	})
	for _, name := range names {
		if err == nil {
			err = a.printJSON(map[string]string{"space": name})
		}
	}
	return err
}

// restore fills the spaces of a backup, one after the other.
func (f *filler) restore(ctx context.Context, file io.Reader) error {
	under := "" // the space that is being filled
	end := func() error {
		if under == "" {
			return nil
		}
		if _, err := f.seal(ctx, under); err != nil {
			return err
		}
		return f.end(ctx, under)
	}
	err := backup.Seeds(file, func(p backup.Part, h replication.SnapshotHeader, records []byte) error {
		switch {
		case slices.Contains(f.complete, p.Space):
			return nil
		case p.Space != under:
			if err := end(); err != nil {
				return err
			}
			under = p.Space
			if err := f.begin(ctx, p.Space, p.Partitions); err != nil {
				return err
			}
		}
		return f.write(ctx, p.Space, p.Partition, h, records)
	})
	if err == nil {
		err = end()
	}
	return err
}

// loadCluster loads spaces of a running cluster from the tables that mirror them.
func (a *app) loadCluster(ctx context.Context, cfg *load.Config, end func()) error {
	if len(cfg.Spaces) == 0 {
		var err error
		if cfg.Spaces, err = writeback.Spaces(ctx, cfg.Postgres); err != nil {
			return err
		}
	}
	database, err := writeback.Identity(ctx, cfg.Postgres)
	if err != nil {
		return err
	}
	var done []load.Space
	err = a.filled(ctx, "database "+database, cfg.Spaces, func(f *filler) error {
		for _, name := range cfg.Spaces {
			if slices.Contains(f.complete, name) {
				fmt.Fprintf(a.stderr, "gospaces: space %q was loaded when the command was interrupted\n", name)
				continue
			}
			s, err := f.load(ctx, cfg, name)
			if err != nil {
				return fmt.Errorf("space %q: %w", name, err)
			}
			end()
			done = append(done, s)
		}
		return nil
	})
	for _, s := range done {
		if err == nil {
			err = a.printJSON(newLoaded(s))
		}
	}
	return err
}

// load fills a space from its tables, whose mirror goes on with the space.
func (f *filler) load(ctx context.Context, cfg *load.Config, name string) (s load.Space, err error) {
	tables, err := writeback.OpenTables(ctx, cfg.Postgres, name, cfg.Incomplete)
	if err != nil {
		return s, err
	}
	defer tables.Close()
	if err := f.begin(ctx, name, len(tables.Parts())); err != nil {
		return s, err
	}
	s, began := load.Describe(name, tables), time.Now()
	total, err := load.Count(tables)
	if err != nil {
		return s, err
	}
	for p, part := range tables.Parts() {
		before := s.Entries
		err := load.Seed(part, p,
			func(records []byte) error { return f.write(ctx, name, p, replication.SnapshotHeader{}, records) },
			func(entries uint64) {
				s.Entries = before + entries
				cfg.Progress(name, s.Entries, max(s.Entries, total))
			})
		if err != nil {
			return s, err
		}
		s.Add(part)
	}
	filled, err := f.seal(ctx, name)
	if err == nil {
		err = takeOver(ctx, cfg.Postgres, name, tables, filled)
	}
	if err != nil {
		return s, err
	}
	s.Took = time.Since(began)
	return s, f.end(ctx, name)
}

// takeOver has the mirror of a space go on with the logs of the loaded one.
func takeOver(
	ctx context.Context, dsn, space string, tables *writeback.Tables, filled []node.FilledPart,
) error {
	if len(filled) != len(tables.Parts()) {
		return errors.New("the node that was asked does not say where the logs end")
	}
	for p, part := range tables.Parts() {
		o := writeback.Origin{At: filled[p].Position, Highest: part.Highest()}
		o.Incarnation, o.Position = part.Log()
		if err := writeback.TakeOver(ctx, dsn, space, p, filled[p].Incarnation, o); err != nil {
			return fmt.Errorf("partition %d: %w", p, err)
		}
	}
	return nil
}
