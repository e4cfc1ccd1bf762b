package writeback_test

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lib/pq"
	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/postgres"
	"github.com/gospaces/gospaces/writeback"
)

// ownServer starts a server that the test may kill.
func ownServer(t *testing.T) *postgres.Server {
	t.Helper()
	if os.Getenv(postgres.EnvDSN) != "" {
		t.Skip("needs a server of its own")
	}
	s, err := postgres.Start(t.Context(), postgres.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Stop()) })
	return s
}

func TestFaults_ServerKilledAndWriterStoppedAtRandom(t *testing.T) {
	t.Parallel()
	own := ownServer(t)
	dsn, err := own.NewDatabase(t.Context())
	require.NoError(t, err)
	log, g, m := newMemLog(), newGenerator(3), newModel()
	cfg := writeback.Config{DSN: dsn, BatchRecords: 200, FlushInterval: time.Millisecond, Lanes: 3, LaneRows: 1}
	_, stop := start(t, log, cfg)
	for range 30 {
		for range 1 + g.IntN(60) {
			follow(t, log, m, g.group(1+g.IntN(30)))
		}
		switch g.IntN(4) {
		case 0:
			stop()
			cfg.Lanes = 1 + g.IntN(4)
			_, stop = start(t, log, cfg)
		case 1:
			require.NoError(t, own.Kill())
			follow(t, log, m, g.group(50))
			require.NoError(t, own.Restart(t.Context()))
		}
	}
	stop()
	w, _ := start(t, log, cfg)
	require.NoError(t, w.Flush(t.Context()))
	requireMirror(t, connect(t, dsn), "test", m)
}

func TestFaults_AnOutageIsWaitedOutAndSeen(t *testing.T) {
	t.Parallel()
	own := ownServer(t)
	dsn, err := own.NewDatabase(t.Context())
	require.NoError(t, err)
	log, g, m := newMemLog(), newGenerator(4), newModel()
	w, _ := start(t, log, writeback.Config{DSN: dsn, PingInterval: time.Millisecond})
	follow(t, log, m, g.group(100))
	require.NoError(t, w.Flush(t.Context()))
	require.True(t, w.Stats().Connected)

	require.NoError(t, own.Kill())
	require.Eventually(t, func() bool { return !w.Stats().Connected }, time.Minute, time.Millisecond,
		"an idle writer notices too")
	begin := time.Now()
	for range 10 {
		follow(t, log, m, g.group(100))
	}
	failures := w.Stats().Failures
	require.Eventually(t, func() bool { return w.Stats().Failures > failures+1 }, time.Minute, time.Millisecond)
	stats := w.Stats()
	require.Error(t, stats.LastError)
	require.WithinRange(t, stats.LastErrorAt, begin.Add(-time.Minute), time.Now())
	require.EqualValues(t, 1, stats.Position)
	require.EqualValues(t, 10, stats.LagGroups)
	require.GreaterOrEqual(t, w.Stats().LagAge, stats.LagAge)
	require.Positive(t, stats.LagAge)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(os.ErrDeadlineExceeded)
	require.ErrorIs(t, w.Flush(ctx), os.ErrDeadlineExceeded)

	require.NoError(t, own.Restart(t.Context()))
	require.NoError(t, w.Flush(t.Context()))
	stats = w.Stats()
	require.True(t, stats.Connected)
	require.NoError(t, stats.LastError)
	require.Zero(t, stats.LagGroups)
	require.Zero(t, stats.LagAge)
	requireMirror(t, connect(t, dsn), "test", m)
}

func TestFaults_AServerThatDoesNotAnswerDoesNotKeepRun(t *testing.T) {
	t.Parallel()
	own := ownServer(t)
	dsn, err := own.NewDatabase(t.Context())
	require.NoError(t, err)
	log := newMemLog()
	w, stop := start(t, log, writeback.Config{DSN: dsn})
	log.Append(appendJobs(t, kindRecord(1, job), 1, 10))
	require.NoError(t, w.Flush(t.Context()))
	require.NoError(t, own.Pause())
	log.Append(appendJobs(t, nil, 11, 10))
	require.Eventually(t, func() bool { return w.Stats().BufferedRecords > 0 }, time.Minute, time.Millisecond)
	stop()
	require.NoError(t, own.Continue())
}

func TestFaults_AConnectionCutAtAnyByteLosesAndDoublesNothing(t *testing.T) {
	overLanes(t, func(t *testing.T, cfg writeback.Config) {
		dsn, db := newDatabase(t)
		p := newProxy(t, dsn)
		seed := rand.New(rand.NewPCG(5, 5))
		for range 60 {
			p.cuts <- cut{after: seed.IntN(30_000)}
		}
		log, g, m := newMemLog(), newGenerator(5), newModel()
		cfg.DSN, cfg.RetryMin, cfg.FlushInterval, cfg.BatchRecords = p.dsn, time.Millisecond, time.Millisecond, 500
		w, _ := start(t, log, cfg)
		for range 300 {
			follow(t, log, m, g.group(1+g.IntN(20)))
		}
		for len(p.cuts) > 0 {
			follow(t, log, m, g.group(1+g.IntN(20)))
			require.NoError(t, w.Flush(t.Context()))
		}
		require.NoError(t, w.Flush(t.Context()))
		requireMirror(t, db, "test", m)
		// when several lanes are cut at once the mirror notices one, and it works without a lane that cannot be opened
		if cfg.Lanes == 1 {
			// the last cut may not be noticed yet
			require.GreaterOrEqual(t, w.Stats().Failures, p.injected.Load()-1)
		}
	})
}

// mirrorKind creates the table of jobs.
func mirrorKind(t *testing.T, log *memLog, m *model, dsn string) {
	t.Helper()
	follow(t, log, m, kindRecord(1, job))
	w, stop := start(t, log, writeback.Config{DSN: dsn})
	require.NoError(t, w.Flush(t.Context()))
	stop()
}

func TestFaults_ACommitWhoseAnswerIsLostCountsOnce(t *testing.T) {
	t.Parallel()
	const lost, groups = 20, 30
	dsn, db := newDatabase(t)
	p := newProxy(t, dsn)
	for range lost {
		p.cuts <- cut{after: 1, requests: []string{"UPDATE gospaces.positions", "COMMIT"}}
	}
	log, m := newMemLog(), newModel()
	mirrorKind(t, log, m, dsn)
	w, _ := start(t, log, writeback.Config{DSN: p.dsn, RetryMin: time.Millisecond, FlushInterval: time.Millisecond})
	for i := range groups {
		follow(t, log, m, appendJobs(t, nil, 1+10*i, 10))
		require.NoError(t, w.Flush(t.Context()))
	}
	requireMirror(t, db, "test", m)
	require.EqualValues(t, lost, p.injected.Load())
	require.EqualValues(t, lost, w.Stats().Failures)
	require.EqualValues(t, groups-lost, w.Stats().Commits, "the others were found to have happened")
}

func TestFaults_AConnectionCutInTheMiddleOfCopyLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	dsn, db := newDatabase(t)
	p := newProxy(t, dsn)
	for after := range 5 {
		p.cuts <- cut{after: 1 + 30_000*after, requests: []string{"COPY "}, sending: true}
	}
	log, m := newMemLog(), newModel()
	mirrorKind(t, log, m, dsn)
	w, _ := start(t, log, writeback.Config{DSN: p.dsn, RetryMin: time.Millisecond})
	follow(t, log, m, appendJobs(t, nil, 1, 10_000))
	require.NoError(t, w.Flush(t.Context()))
	requireMirror(t, db, "test", m)
	require.EqualValues(t, 5, p.injected.Load())
	require.EqualValues(t, 5, w.Stats().Failures)
}

// A writer whose DSN names both servers continues with the one that has taken over, from its position: it may have lost
// the last transactions of the other.
func TestFaults_AnotherServerTakesOver(t *testing.T) {
	t.Parallel()
	first := ownServer(t)
	dsn, err := first.NewDatabase(t.Context())
	require.NoError(t, err)
	second, err := first.Standby(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, second.Stop()) })
	one, err := pq.NewConfig(dsn)
	require.NoError(t, err)
	other, err := pq.NewConfig(second.DSN())
	require.NoError(t, err)
	both := "host=" + one.Host + "," + other.Host + " user=postgres dbname=" + one.Database + " sslmode=disable"

	log, g, m := newMemLog(), newGenerator(21), newModel()
	cfg := divided(2)
	cfg.DSN, cfg.FlushInterval = both+" target_session_attrs=read-write", time.Millisecond
	w, _ := start(t, log, cfg)
	for i := range 60 {
		follow(t, log, m, g.group(1+g.IntN(30)))
		if i%10 == 0 {
			require.NoError(t, w.Flush(t.Context()))
		}
		if i == 25 {
			require.NoError(t, second.Pause()) // it falls behind
		}
	}
	require.NoError(t, first.Kill())
	require.NoError(t, second.Continue())
	require.Eventually(t, func() bool { return w.Stats().LastError != nil }, time.Minute, time.Millisecond,
		"it is read-only so far")
	require.NoError(t, second.Promote(t.Context()))
	for range 20 {
		follow(t, log, m, g.group(1+g.IntN(30)))
	}
	require.NoError(t, w.Flush(t.Context()))
	requireMirror(t, connect(t, "host="+other.Host+" user=postgres dbname="+one.Database+" sslmode=disable"), "test", m)
}

func TestFaults_LostRightsAreWaitedFor(t *testing.T) {
	t.Parallel()
	own := ownServer(t)
	dsn, err := own.NewDatabase(t.Context())
	require.NoError(t, err)
	db := connect(t, dsn)
	exec := func(query string) {
		t.Helper()
		_, err := db.Exec(query)
		require.NoError(t, err)
	}
	exec(`CREATE ROLE mirror LOGIN; CREATE SCHEMA gospaces AUTHORIZATION mirror;
		CREATE SCHEMA space_test AUTHORIZATION mirror`)
	log, m := newMemLog(), newModel()
	w, _ := start(t, log, writeback.Config{DSN: dsn + " user=mirror", RetryMin: time.Millisecond})
	follow(t, log, m, appendJobs(t, kindRecord(1, job), 1, 3))
	require.NoError(t, w.Flush(t.Context()))
	for i, c := range []struct{ revoke, grant string }{
		{`ALTER TABLE space_test."Job" OWNER TO postgres`, `ALTER TABLE space_test."Job" OWNER TO mirror`},
		{`REVOKE INSERT ON space_test."Job" FROM mirror`, `GRANT INSERT ON space_test."Job" TO mirror`},
		{`ALTER SCHEMA space_test OWNER TO postgres`, `ALTER SCHEMA space_test OWNER TO mirror`},
		{`ALTER TABLE gospaces.positions OWNER TO postgres`, `ALTER TABLE gospaces.positions OWNER TO mirror`},
	} {
		exec(c.revoke)
		follow(t, log, m, appendJobs(t, nil, 10+i, 1))
		require.Eventually(t, func() bool { return w.Stats().LastError != nil }, time.Minute, time.Millisecond, c.revoke)
		require.ErrorContains(t, w.Stats().LastError, "permission denied")
		require.EqualValues(t, 1+i, w.Stats().Position)
		exec(c.grant)
		require.NoError(t, w.Flush(t.Context()), c.grant)
	}
	requireMirror(t, db, "test", m)
}

// proxy sits between a writer and its server and cuts connections, one for each element of cuts.
type proxy struct {
	dsn      string
	cuts     chan cut
	injected atomic.Uint64
	network  string
	address  string
}

// cut is a point at which to cut a connection: after this many bytes in either direction; or, if requests is set, of
// the answers after requests with these texts, in this order. The last of the bytes are not passed on.
type cut struct {
	after    int
	requests []string
	sending  bool // counts what is sent after requests, not the answers
	answers  bool // counts only answers: requests were sent
}

func newProxy(t *testing.T, dsn string) *proxy {
	t.Helper()
	if strings.Contains(dsn, "://") {
		t.Skip("needs a DSN of keys and values")
	}
	cfg, err := pq.NewConfig(dsn)
	require.NoError(t, err)
	dir, err := os.MkdirTemp("", "proxy") // the path of t.TempDir is too long for a socket
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	p := &proxy{
		dsn: dsn + " port=5432 host=" + dir, cuts: make(chan cut, 100), network: "tcp",
		address: net.JoinHostPort(cfg.Host, "5432"),
	}
	if filepath.IsAbs(cfg.Host) {
		p.network, p.address = "unix", filepath.Join(cfg.Host, ".s.PGSQL.5432")
	}
	listener, err := net.Listen("unix", filepath.Join(dir, ".s.PGSQL.5432"))
	require.NoError(t, err)
	var connections sync.WaitGroup
	t.Cleanup(connections.Wait)
	t.Cleanup(func() { listener.Close() })
	connections.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			connections.Go(func() { p.serve(client) })
		}
	})
	return p
}

func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	upstream, err := net.Dial(p.network, p.address)
	if err != nil {
		return
	}
	defer upstream.Close()
	c := &wire{ends: []net.Conn{client, upstream}}
	first := make([]byte, 4096)
	n, err := client.Read(first)
	if err != nil {
		return
	}
	client = peeked{client, io.MultiReader(bytes.NewReader(first[:n]), client)}
	if !bytes.Contains(first[:n], []byte("gospaces watcher")) { // it mirrors nothing
		select {
		case next := <-p.cuts:
			c.cut = &next
			c.injected = &p.injected
		default:
		}
	}
	var both sync.WaitGroup
	both.Go(func() { c.pass(upstream, client, true) })
	both.Go(func() { c.pass(client, upstream, false) })
	both.Wait()
}

// peeked is a connection of which the first bytes were read already.
type peeked struct {
	net.Conn
	r io.Reader
}

func (p peeked) Read(b []byte) (int, error) { return p.r.Read(b) }

// wire is one connection through the proxy.
type wire struct {
	ends     []net.Conn
	injected *atomic.Uint64

	mu  sync.Mutex
	cut *cut // what remains of the cut, or nil; guarded by mu
}

// pass copies one direction until either end is closed.
func (w *wire) pass(dst io.Writer, src io.Reader, request bool) {
	defer w.close()
	buf := make([]byte, 8<<10)
	for {
		n, err := src.Read(buf)
		if n > 0 && w.spared(buf[:n], request) {
			if _, err := dst.Write(buf[:n]); err != nil {
				return
			}
		} else if n > 0 {
			return
		}
		if err != nil {
			return
		}
	}
}

// spared reports whether b may pass.
func (w *wire) spared(b []byte, request bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut == nil {
		return true
	}
	if request && len(w.cut.requests) > 0 && bytes.Contains(b, []byte(w.cut.requests[0])) {
		w.cut.requests, w.cut.answers = w.cut.requests[1:], !w.cut.sending
	}
	if len(w.cut.requests) > 0 || request && w.cut.answers || !request && w.cut.sending {
		return true
	}
	if w.cut.after -= len(b); w.cut.after > 0 {
		return true
	}
	w.cut = nil
	w.injected.Add(1)
	return false
}

func (w *wire) close() {
	for _, end := range w.ends {
		end.Close()
	}
}
