package crash

import (
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The test binary doubles as a client process.
func TestMain(m *testing.M) {
	if IsClient() {
		os.Exit(Client())
	}
	os.Exit(m.Run())
}

// TestCrash runs a campaign on one server: briefly, or for as long as CRASH says (make crash). CRASH_SEED repeats the
// order of its disturbances.
func TestCrash(t *testing.T) {
	t.Parallel()
	run(t, "CRASH", Config{Round: 4 * time.Second})
}

// TestCrashCluster runs a campaign on a cluster of three nodes: briefly, or for as long as CRASH_CLUSTER says (make
// crash-cluster). CRASH_SEED repeats the order of its disturbances. It has CRASH_NODES nodes (3), and CRASH_PARTITIONS
// partitions in its second space (1); if these are several there is no database.
func TestCrashCluster(t *testing.T) {
	t.Parallel()
	if os.Getenv("CRASH_CLUSTER") == "" {
		t.Skip("only with CRASH_CLUSTER, as make crash-cluster has it")
	}
	run(t, "CRASH_CLUSTER", Config{
		Round: 15 * time.Second, Nodes: number(t, "CRASH_NODES", 3), Parts: number(t, "CRASH_PARTITIONS", 1),
	})
}

// number returns the value of a variable of the environment.
func number(t *testing.T, variable string, otherwise int) int {
	s := os.Getenv(variable)
	if s == "" {
		return otherwise
	}
	n, err := strconv.Atoi(s)
	require.NoError(t, err)
	return n
}

// run runs a campaign: one round as cfg says, or for the time that a variable says, which is part of the environment.
func run(t *testing.T, variable string, cfg Config) {
	cfg.Time, cfg.Seed, cfg.Out = time.Second, uint64(time.Now().UnixNano()), t.Output()
	if s := os.Getenv(variable); s != "" {
		d, err := time.ParseDuration(s)
		require.NoError(t, err)
		cfg.Time, cfg.Round, cfg.Out = d, 0, os.Stderr
	}
	if s := os.Getenv("CRASH_SEED"); s != "" {
		seed, err := strconv.ParseUint(s, 10, 64)
		require.NoError(t, err)
		cfg.Seed = seed
	}
	cfg.Dir = t.ArtifactDir()
	cfg.Program = filepath.Join(t.TempDir(), "gospaces")
	out, err := exec.Command("go", "build", "-o", cfg.Program,
		"github.com/gospaces/gospaces/cmd/gospaces").CombinedOutput()
	require.NoError(t, err, "%s", out)
	cfg.Client, err = os.Executable()
	require.NoError(t, err)
	t.Logf("CRASH_SEED=%d", cfg.Seed)
	ctx, stop := signal.NotifyContext(t.Context(), os.Interrupt, syscall.SIGTERM) // its disks must not stay behind
	defer stop()
	report, err := Run(ctx, cfg)
	require.NoError(t, err, "CRASH_SEED=%d; with -artifacts, as make crash has it, everything is kept in %s",
		cfg.Seed, cfg.Dir)
	require.Positive(t, report.Rounds())
}
