package spacetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/internal/postgres"
	"github.com/gospaces/gospaces/node"
	"github.com/gospaces/gospaces/space"
)

// boundVariable names the environment variable that says for how long each part of TestBound runs.
const boundVariable = "SOAK_BOUND"

// What the documentation promises of a data folder: see "How large a data folder gets" in docs/configuration.md.
const (
	snapshots    = 3        // two that are kept, and one that is being written
	folderSlack  = 64 << 20 // what is appended while the server does not look, and what its files are begun and ended with
	snapshotEach = 64 << 20 // --snapshot-bytes
)

// folderBound is what a data folder may have, of a space whose snapshots have snapshot bytes and whose mirror has
// lacked lag bytes at most.
func folderBound(snapshot, lag int64) int64 {
	between := max(snapshotEach, snapshot)
	return snapshots*snapshot + max(2*between, lag) + snapshotEach + folderSlack
}

// folderPart is a server whose folder is watched while jobs flow through an almost empty space as fast as they can.
type folderPart struct {
	name      string
	mirror    bool
	full      string // policy
	mirrorLog int64
	outages   bool  // the database is stopped most of the time
	share     int64 // of the time, divided by this
}

var folderParts = []folderPart{
	{name: "alone", share: 1},
	{name: "mirrored", mirror: true, full: node.Rebase, mirrorLog: 1 << 30, share: 1},
	{name: "rebase", mirror: true, full: node.Rebase, mirrorLog: 256 << 20, outages: true, share: 4},
	{name: "block", mirror: true, full: node.Block, mirrorLog: 256 << 20, outages: true, share: 4},
}

// TestBound has jobs flow through servers at full speed, and the folder of each must stay as small as it is documented,
// all the time. In some parts a database mirrors the space and is stopped now and then, for so long that the log
// reaches its bound for it.
func TestBound(t *testing.T) {
	text := os.Getenv(boundVariable)
	if text == "" {
		t.Skip("run it with make soak-bound")
	}
	d, err := time.ParseDuration(text)
	require.NoError(t, err, boundVariable)
	for _, part := range folderParts {
		t.Run(part.name, func(t *testing.T) {
			f := &folderRun{TB: t, part: part, began: time.Now(), d: d / time.Duration(part.share)}
			f.run()
		})
	}
}

// folderRun is one part.
type folderRun struct {
	testing.TB
	part  folderPart
	began time.Time
	d     time.Duration

	s    *ServerHandle
	pg   *postgres.Server
	ops  atomic.Int64
	full atomic.Int64 // how often the bound for the mirror was reached

	at   folderSample // the last
	most folderSample // of each the largest
}

// folderSample is what there is to see at one moment.
type folderSample struct {
	folder, memory, lag, snapshot int64
}

// How many jobs flow at a time, and over how many connections.
const (
	folderCallers = 256
	folderConns   = 4
)

func (f *folderRun) run() {
	cfg := ServerConfig{Process: true, MirrorFull: f.part.full, MirrorLog: f.part.mirrorLog}
	if f.part.mirror {
		var err error
		f.pg, err = postgres.Start(f.Context(), postgres.Config{})
		require.NoError(f, err)
		f.Cleanup(func() { require.NoError(f, f.pg.Stop()) })
		cfg.Postgres, err = f.pg.NewDatabase(f.Context())
		require.NoError(f, err)
	}
	f.s = Server(f, cfg)
	c, err := client.DialConfig(f.Context(), client.Config{Addr: f.s.Addr(), Conns: folderConns})
	require.NoError(f, err)
	defer c.Close()

	ctx, cancel := context.WithTimeout(f.Context(), f.d)
	defer cancel()
	var all sync.WaitGroup
	errs := make(chan error, folderCallers+1)
	for range folderCallers {
		all.Go(func() { errs <- f.flow(ctx, c) })
	}
	all.Go(func() { errs <- f.disturb(ctx, c) })
	f.watch(ctx, c)
	all.Wait()
	close(errs)
	for err := range errs {
		require.NoError(f, err)
	}
	f.settle(c)
}

// flow writes a job and takes one, again and again.
func (f *folderRun) flow(ctx context.Context, c *client.Client) error {
	type Job struct {
		Key     int64
		Payload []byte
	}
	j := Job{Key: 1, Payload: make([]byte, 100)}
	for {
		_, err := space.Write(ctx, c, j)
		if err == nil {
			_, err = space.Take(ctx, c, Job{})
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		f.ops.Add(2)
	}
}

// disturb stops the database until the log is full of what it lacks, and lets it go on until it has caught up, again
// and again.
func (f *folderRun) disturb(ctx context.Context, c *client.Client) error {
	if !f.part.outages {
		return nil
	}
	for {
		if err := f.pg.Pause(); err != nil {
			return err
		}
		f.until(ctx, c, func(st folderStatus) bool { return st.Full.Full || st.Log.First > st.Mirror.Position+1 })
		if ctx.Err() == nil {
			f.full.Add(1)
		}
		sleep(ctx, 5*time.Second) // at the bound
		if err := f.pg.Continue(); err != nil {
			return err
		}
		f.until(ctx, c, func(st folderStatus) bool {
			return st.Mirror.Connected && !st.Full.Full && st.Mirror.LagBytes < f.part.mirrorLog/2
		})
		if ctx.Err() != nil {
			return nil
		}
	}
}

// until waits until the status is as it should be, or ctx ends.
func (f *folderRun) until(ctx context.Context, c *client.Client, is func(st folderStatus) bool) {
	for ctx.Err() == nil {
		st, err := readFolderStatus(f.Context(), c)
		if err == nil && is(st) {
			return
		}
		sleep(ctx, 20*time.Millisecond)
	}
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// watch samples until ctx ends, and fails the test if a bound is exceeded.
func (f *folderRun) watch(ctx context.Context, c *client.Client) {
	shown := time.Now()
	for ctx.Err() == nil {
		f.sample(c)
		bound := folderBound(f.most.snapshot, f.most.lag)
		require.LessOrEqual(f, f.at.folder, bound, "bytes of the folder")
		if f.part.full == node.Block {
			require.LessOrEqual(f, f.at.lag, f.part.mirrorLog+folderSlack, "bytes that the mirror lacks")
		}
		if time.Since(shown) >= 10*time.Second {
			shown = time.Now()
			f.show()
		}
		sleep(ctx, 200*time.Millisecond)
	}
}

func (f *folderRun) sample(c *client.Client) {
	st, err := readFolderStatus(f.Context(), c)
	require.NoError(f, err)
	// The mirror may lack more than it did before it was sampled, never more than it may.
	f.at = folderSample{memory: st.RSS, lag: min(st.Mirror.LagBytes, f.part.mirrorLog), snapshot: st.Snapshot.Bytes}
	if f.part.full == node.Block {
		f.at.lag = st.Mirror.LagBytes
	}
	f.at.folder = diskUse(f, f.s.Data()) + deletedFiles(st.PID, f.s.Data())
	f.most.folder, f.most.memory = max(f.most.folder, f.at.folder), max(f.most.memory, f.at.memory)
	f.most.lag, f.most.snapshot = max(f.most.lag, f.at.lag), max(f.most.snapshot, f.at.snapshot)
}

func (f *folderRun) show() {
	const mib = 1 << 20
	took := time.Since(f.began)
	fmt.Fprintf(os.Stderr,
		"%s: %v of %v: %.0f ops/s; folder %d MiB, at most %d of %d; server %d MiB, at most %d; "+
			"mirror lacks %d MiB, at most %d; full %d times\n",
		f.part.name, took.Round(time.Second), f.d, float64(f.ops.Load())/took.Seconds(), f.at.folder/mib, f.most.folder/mib,
		folderBound(f.most.snapshot,
			f.most.lag)/mib, f.at.memory/mib, f.most.memory/mib, f.at.lag/mib, f.most.lag/mib, f.full.Load())
}

// settle requires that the mirror catches up, and shows what was measured.
func (f *folderRun) settle(c *client.Client) {
	if f.part.outages {
		require.NoError(f, f.pg.Continue())
		require.Positive(f, f.full.Load(), "the log has not reached its bound: let it run for longer")
	}
	if f.part.mirror {
		require.Eventually(f, func() bool {
			st, err := readFolderStatus(f.Context(), c)
			return err == nil && st.Mirror.LagBytes == 0
		}, 5*time.Minute, 100*time.Millisecond, "the mirror catches up")
	}
	f.show()
}

// folderStatus is the part of a server's status that matters here.
type folderStatus struct {
	PID int
	RSS int64 `json:"rss_bytes"`
	folderSpace
	Spaces []folderSpace
}

type folderSpace struct {
	Log      struct{ First uint64 }
	Snapshot struct{ Bytes int64 }
	Mirror   struct {
		Connected bool
		Position  uint64
		LagBytes  int64 `json:"lag_bytes"`
	}
	Full struct{ Full bool } `json:"mirror_full"`
}

func readFolderStatus(ctx context.Context, c *client.Client) (st folderStatus, err error) {
	text, err := c.Status(ctx)
	if err != nil {
		return st, err
	}
	if err := json.Unmarshal(text, &st); err != nil {
		return st, err
	}
	st.folderSpace = st.Spaces[0]
	return st, nil
}

// diskUse returns what the files of a folder take of the disk.
func diskUse(tb testing.TB, dir string) (size int64) {
	err := filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		var info fs.FileInfo
		if err == nil {
			info, err = e.Info()
		}
		if err == nil {
			size += info.Sys().(*syscall.Stat_t).Blocks * 512
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it has just been removed
		}
		return err
	})
	require.NoError(tb, err)
	return size
}

// deletedFiles returns what the files take that a process has removed from a folder and not closed yet.
func deletedFiles(pid int, dir string) (size int64) {
	if runtime.GOOS != "linux" {
		return 0
	}
	fds := filepath.Join("/proc", strconv.Itoa(pid), "fd")
	entries, _ := os.ReadDir(fds) // none if the process is gone
	for _, e := range entries {
		path := filepath.Join(fds, e.Name())
		target, err := os.Readlink(path)
		if err != nil || !strings.HasPrefix(target, dir) || !strings.HasSuffix(target, " (deleted)") {
			continue
		}
		if info, err := os.Stat(path); err == nil {
			size += info.Sys().(*syscall.Stat_t).Blocks * 512
		}
	}
	return size
}
