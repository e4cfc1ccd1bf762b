package writeback_test

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lib/pq"
	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/writeback"
)

func TestFaults_AFullDiskIsWaitedOut(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can mount a small disk")
	}
	dir, err := os.MkdirTemp("", "small") // the server's user cannot access t.TempDir
	require.NoError(t, err)
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=3m"); err != nil {
		_ = os.Remove(dir)
		t.Skipf("mount a small disk: %v", err)
	}
	t.Cleanup(func() {
		require.NoError(t, syscall.Unmount(dir, 0))
		require.NoError(t, os.Remove(dir))
	})
	own := ownServer(t) // ends before the disk is unmounted
	dsn, err := own.NewDatabase(t.Context())
	require.NoError(t, err)
	cfg, err := pq.NewConfig(dsn)
	require.NoError(t, err)
	info, err := os.Stat(cfg.Host) // the server's folder
	require.NoError(t, err)
	owner := info.Sys().(*syscall.Stat_t)
	require.NoError(t, os.Chown(dir, int(owner.Uid), int(owner.Gid)))
	db := connect(t, dsn)
	for _, query := range []string{
		fmt.Sprintf(`CREATE TABLESPACE small LOCATION '%s'`, dir),
		fmt.Sprintf(`ALTER DATABASE %s SET default_tablespace = small`, cfg.Database),
	} {
		_, err := db.Exec(query)
		require.NoError(t, err)
	}

	log, m := newMemLog(), newModel()
	w, _ := start(t, log, writeback.Config{DSN: dsn, BatchRecords: 500, RetryMin: time.Millisecond})
	follow(t, log, m, kindRecord(1, job))
	for id := 1; id <= 5000; id += 100 {
		var group []byte
		for i := id; i < id+100; i++ {
			group = record.AppendPut(group, uint64(i), 1, forever, jobRow(t, int64(i), strings.Repeat("x", 1000)))
		}
		follow(t, log, m, group)
	}
	require.Eventually(t, func() bool {
		err := w.Stats().LastError
		return err != nil && strings.Contains(err.Error(), "No space left on device")
	}, time.Minute, time.Millisecond)
	require.Positive(t, w.Stats().LagGroups)
	require.Zero(t, w.Stats().DeadLetters)
	require.NoError(t, syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=64m"))
	require.NoError(t, w.Flush(t.Context()))
	requireMirror(t, db, "test", m)
}
