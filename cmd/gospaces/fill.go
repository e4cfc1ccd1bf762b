package main

import (
	"context"
	"encoding/json"
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

// filler fills spaces of a cluster through one of its nodes. No client sees anything of a space before it is opened.
type filler struct {
	c       *client.NodeClient
	numbers map[txn.Address]uint64 // of requests
	parts   map[string][]node.FilledPart
	begun   []string
}

// filled calls fill with a filler for spaces that are not there, or have no entries, and has those served that it
// fills.
func (a *app) filled(ctx context.Context, spaces []string, fill func(*filler) error) error {
	return a.withServer(ctx, func(c *client.NodeClient) error {
		t, err := c.Topology(ctx)
		switch {
		case err != nil:
			return err
		case len(t.Nodes) == 0:
			return a.noCluster()
		}
		if err := a.checkEmpty(ctx, c, spaces); err != nil {
			return err
		}
		f := &filler{c: c, numbers: map[txn.Address]uint64{}, parts: map[string][]node.FilledPart{}}
		if err := fill(f); err != nil {
			return errors.Join(err, f.abandon(context.WithoutCancel(ctx)))
		}
		for _, space := range f.begun {
			if _, err := f.ask(ctx, &node.ManageRequest{Open: &node.OpenRequest{Space: space}}); err != nil {
				return fmt.Errorf("open space %q: %w", space, err)
			}
		}
		return nil
	})
}

// checkEmpty returns an error if one of some spaces has entries.
func (a *app) checkEmpty(ctx context.Context, n *client.NodeClient, spaces []string) error {
	there, err := n.Spaces(ctx)
	if err != nil {
		return err
	}
	for _, name := range spaces {
		if !slices.Contains(there, name) {
			continue
		}
		kinds, err := a.kindsOf(ctx, name)
		if err != nil {
			return err
		}
		for _, k := range kinds {
			if n := k.Count + k.Held + k.Delayed; n > 0 {
				return fmt.Errorf("space %q is not empty: it has %s of kind %q; drop it first, or take what it has",
					name, entries(n), k.Schema.Kind)
			}
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

func (f *filler) ask(ctx context.Context, r *node.ManageRequest) (answer node.ManageAnswer, err error) {
	request, err := json.Marshal(r)
	if err != nil {
		return answer, err
	}
	text, err := f.c.Manage(ctx, request)
	if err == nil {
		err = json.Unmarshal(text, &answer)
	}
	return answer, err
}

// begin begins a space.
func (f *filler) begin(ctx context.Context, space string, partitions int) error {
	f.begun = append(f.begun, space)
	_, err := f.ask(ctx, &node.ManageRequest{Fill: &node.FillRequest{Space: space, Partitions: partitions}})
	return err
}

// write gives a partition more records. h tells the clock at which they were true; the zero value is now.
func (f *filler) write(
	ctx context.Context, space string, partition int, h replication.SnapshotHeader, records []byte,
) error {
	at := txn.Address{Space: space, Partition: uint16(partition)}
	f.numbers[at]++
	_, err := f.ask(ctx, &node.ManageRequest{Records: &node.FillRecords{
		Space: space, Partition: at.Partition, Number: f.numbers[at], Clock: h.Clock, Records: records,
	}})
	return err
}

// abandon removes the spaces that were begun, which nothing has served.
func (f *filler) abandon(ctx context.Context) error {
	var errs []error
	for _, space := range f.begun {
		_, err := f.ask(ctx, &node.ManageRequest{Abandon: &node.OpenRequest{Space: space}})
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// seal ends a space.
func (f *filler) seal(ctx context.Context, space string) error {
	answer, err := f.ask(ctx, &node.ManageRequest{Seal: &node.SealRequest{Space: space}})
	f.parts[space] = answer.Parts
	return err
}

// restoreCluster restores a backup into a running cluster.
func (a *app) restoreCluster(ctx context.Context, file *os.File) error {
	parts, err := backup.Check(file)
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
	err = a.filled(ctx, names, func(f *filler) error {
		err := backup.Seeds(file, func(p backup.Part, h replication.SnapshotHeader, records []byte) error {
			if !slices.Contains(f.begun, p.Space) {
				if err := f.begin(ctx, p.Space, p.Partitions); err != nil {
					return err
				}
			}
			return f.write(ctx, p.Space, p.Partition, h, records)
		})
		for _, name := range f.begun {
			if err == nil {
				err = f.seal(ctx, name)
			}
		}
		return err
	})
	for _, name := range names {
		if err == nil {
			err = a.printJSON(map[string]string{"space": name})
		}
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
	var done []load.Space
	err := a.filled(ctx, cfg.Spaces, func(f *filler) error {
		for _, name := range cfg.Spaces {
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
	if err := f.seal(ctx, name); err != nil {
		return s, err
	}
	s.Took = time.Since(began)
	return s, f.takeOver(ctx, cfg.Postgres, name, tables)
}

// takeOver has the mirror of a space go on with the logs of the loaded one.
func (f *filler) takeOver(ctx context.Context, dsn, space string, tables *writeback.Tables) error {
	if len(f.parts[space]) != len(tables.Parts()) {
		return errors.New("the node that was asked does not say where the logs end")
	}
	for p, part := range tables.Parts() {
		o := writeback.Origin{At: f.parts[space][p].Position, Highest: part.Highest()}
		o.Incarnation, o.Position = part.Log()
		if err := writeback.TakeOver(ctx, dsn, space, p, f.parts[space][p].Incarnation, o); err != nil {
			return fmt.Errorf("partition %d: %w", p, err)
		}
	}
	return nil
}
