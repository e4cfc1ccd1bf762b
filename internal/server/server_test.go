package server_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/internal/server"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/txn"
)

func TestServer_RefusesWhoeverSpeaksOtherwise(t *testing.T) {
	t.Parallel()
	r := newRig(t, server.Config{}, partition.Config{})
	defer r.close()
	greeting := func(g wire.Greeting) []byte {
		return wire.AppendHello(nil, &g)
	}
	for name, c := range map[string]struct {
		bytes []byte
		want  error
	}{
		"a call":          {wire.AppendFrame(nil, wire.Echo, 1, nil), wire.ErrMalformed},
		"an empty hello":  {wire.AppendFrame(nil, wire.Hello, 0, nil), wire.ErrMalformed},
		"a long hello":    {wire.AppendFrame(nil, wire.Hello, 0, make([]byte, wire.MaxHello))[:8], wire.ErrMalformed},
		"another version": {greeting(wire.Greeting{MinVersion: 7, MaxVersion: 8}), wire.ErrVersion},
		"a wish": {greeting(wire.Greeting{
			MinVersion: wire.Version, MaxVersion: wire.Version,
			Requires: []string{"x"},
		}), wire.ErrCapability},
	} {
		p := r.connect()
		go p.conn.Write(c.bytes)
		require.ErrorIs(t, p.refusal(), c.want, name)
		_, err := p.tryNext()
		require.Error(t, err, "%s: the connection ends", name)
	}
}

// A port probe is no event. What is refused is told for what it is.
func TestServer_LogsConnectionsForWhatTheyAre(t *testing.T) {
	for name, c := range map[string]struct {
		says  string // in the log, from info on
		bytes []byte
		waits bool
	}{
		"a port probe":      {"", nil, false},
		"half a handshake":  {"the client has gone during the handshake", wire.AppendHello(nil, &wire.Greeting{})[:5], false},
		"nothing":           {"no handshake within 10s", nil, true},
		"a browser":         {"an HTTP request", []byte("GET / HTTP/1.1\r\n\r\n"), true},
		"a client with TLS": {"a TLS handshake", []byte("\x16\x03\x01\x02\x00\x01\x00\x01"), true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log strings.Builder
				r := newRig(t, server.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))}, partition.Config{})
				p := r.connect()
				_, err := p.conn.Write(c.bytes)
				require.NoError(t, err)
				if c.waits {
					_, err = io.Copy(io.Discard, p.conn)
					require.NoError(t, err)
				}
				require.NoError(t, p.conn.Close())
				synctest.Wait()
				if c.says == "" {
					require.Empty(t, log.String())
				} else {
					require.Contains(t, log.String(), c.says)
					require.Equal(t, 1, strings.Count(log.String(), "\n"))
				}
				r.close()
			})
		})
	}
}

func TestServer_RefusesTooManyConnections(t *testing.T) {
	t.Parallel()
	r := newRig(t, server.Config{MaxConns: 1}, partition.Config{})
	defer r.close()
	p := r.join()
	require.ErrorIs(t, r.connect().refusal(), wire.ErrBusy)
	require.Equal(t, []byte("x"), p.call(wire.Echo, 9, []byte("x")))
}

func TestServer_EndsConnectionsThatBreakTheProtocol(t *testing.T) {
	t.Parallel()
	r := newRig(t, server.Config{MaxFrame: wire.MinMaxFrame}, partition.Config{})
	defer r.close()
	for name, b := range map[string][]byte{
		"oversized frame":   {0xff, 0xff, 0xff, 0x7f},
		"unknown type":      wire.AppendFrame(nil, 99, 1, []byte{0}),
		"ack of the future": wire.AppendAck(nil, 1<<40),
		"second hello":      wire.AppendFrame(nil, wire.Hello, 0, []byte{0}),
	} {
		p := r.join()
		go p.conn.Write(b)
		require.ErrorIs(t, p.refusal(), wire.ErrMalformed, name)
	}
	p := r.join()
	p.register()
	p.send(wire.Find, 5, findBody(true, true))
	p.send(wire.Find, 5, findBody(true, true))
	require.ErrorIs(t, p.refusal(), wire.ErrMalformed, "a number that is in use")
}

// A body that makes no sense fails its call and nothing else.
func TestServer_AnswersMalformedBodies(t *testing.T) {
	t.Parallel()
	r := newRig(t, server.Config{MaxSpaces: 2}, partition.Config{})
	defer r.close()
	p := r.join()
	p.register()
	for callID, c := range []struct {
		t    wire.Type
		body []byte
	}{
		{wire.Write, nil},
		{wire.Write, []byte{1, 0}},
		{wire.Write, []byte{0, 1}},
		{wire.Write, append(writeBody("x"), 0)},
		{wire.Write, wire.AppendDraft([]byte{0, 0, 2}, 1, 0, []byte{1, 0xff})},
		{wire.Write, wire.AppendDelayed([]byte{0, 0, 2}, 1, 0, 1, row("x"))},
		{wire.BeginTxn, []byte{0}},
		{wire.Commit, []byte{0, 0, 0}},
		{wire.Commit, []byte{0, 1, 0}},
		{wire.Abort, []byte{0, 1}},
		{wire.Abort, []byte{0, 1, 0, 0}},
		{wire.Rollback, []byte{0, 1, 0, 2, 7}},
		{wire.Defer, []byte{0, 1, 0, 7}},
		{wire.Update, wire.AppendChange([]byte{0, 0}, &call.Change{ID: 1, Kind: 1, Row: []byte{1, 0xff}})},
		{wire.Find, []byte{0, 0xff}},
		{wire.Find, append(appendFind([]byte{0}, false, 0, 1), 0, 0, 0)},
		{wire.Find, append(appendFind([]byte{0}, false, 0, 0), 0, 1, 1, 0, 0)},
		{wire.Find, append(appendFind([]byte{0}, false, 0, 1), 0, 1, 1, 1, 5, 9, 0)},
		{wire.Register, []byte{0, 1, 2, 3}},
		{wire.Open, openBody(2, "space")},
		{wire.Open, openBody(1, "other")},
		{wire.Open, openBody(1, string(make([]byte, 300)))},
		{wire.Open, openBody(0, "space2")},
		{wire.Renew, []byte{0, 0, 5}},
		{wire.Contents, []byte{0}},
		{wire.Notify, []byte{0}},
		{wire.Attach, []byte{0, 1}},
		{wire.Schema, []byte{0}},
		{wire.Kinds, []byte{0, 1}},
	} {
		p.send(c.t, uint64(100+callID), c.body)
		require.ErrorIs(t, p.failure(uint64(100+callID)), call.ErrInvalidArgument, "%d: type %d", callID, c.t)
	}
	require.Equal(t, wire.AppendOpened(nil, &wire.Opened{Incarnation: "first", Partitions: 1}),
		p.call(wire.Open, 200, openBody(0, "space")), "opening twice is harmless")
	p.send(wire.Schema, 201, wire.AppendBytes([]byte{0}, "unknown"))
	require.ErrorIs(t, p.failure(201), call.ErrUnknownKind)
	p.send(wire.Write, 202, wire.AppendDraft([]byte{0, 0, 2}, 9, 0, nil))
	require.ErrorIs(t, p.failure(202), call.ErrUnknownKind)
	p.send(wire.Update, 203, wire.AppendChange([]byte{0, 0}, &call.Change{ID: 1, Kind: 9}))
	require.ErrorIs(t, p.failure(203), call.ErrUnknownKind)
}

// A client that sends and does not read is not read from any more, and nothing is lost when it does.
func TestServer_SlowReaderIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const limit, calls, size = 100_000, 1000, 10_000
		r := newRig(t, server.Config{MaxUnsent: limit, Idle: time.Hour}, partition.Config{})
		defer r.close()
		p := r.join()
		go func() {
			for i := range calls {
				p.send(wire.Echo, uint64(10+i), make([]byte, size))
			}
		}()
		synctest.Wait() // all are stuck
		require.Less(t, r.server.Stats().BytesIn, uint64(limit+200_000))
		for i := range calls {
			require.Len(t, p.answer(uint64(10+i)).Body, size)
		}
	})
}

func TestServer_SilentConnectionsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, server.Config{Idle: 10 * time.Second, Resume: time.Minute}, partition.Config{})
		defer r.close()
		p := r.join()
		p.register()
		p.send(wire.Find, 5, findBody(true, true))
		for range 10 {
			time.Sleep(5 * time.Second)
			p.send(wire.Ping, 0, nil)
			require.Equal(t, wire.Pong, p.next().Type)
		}
		require.Equal(t, 1, r.partition.Stats().Waiting)
		time.Sleep(15 * time.Second)
		_, err := p.tryNext()
		require.ErrorIs(t, err, io.EOF)
		synctest.Wait()
		require.Equal(t, 0, r.partition.Stats().Waiting, "nothing is taken for a client that is gone")
		require.Equal(t, 1, r.server.Stats().Sessions)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		require.Zero(t, r.server.Stats().Sessions)
	})
}

func TestServer_HandshakeIsBoundedInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, server.Config{}, partition.Config{})
		defer r.close()
		p := r.connect()
		time.Sleep(time.Minute)
		synctest.Wait()
		_, err := p.conn.Write([]byte{0})
		require.ErrorIs(t, err, io.ErrClosedPipe)
		require.Zero(t, r.server.Stats().Connections)
	})
}

func TestServer_ShutdownLetsClientsFinish(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, server.Config{}, partition.Config{})
		defer r.close()
		p := r.join()
		p.register()
		p.send(wire.Find, 5, findBody(true, true))
		p.call(wire.Echo, 6, nil)
		down := make(chan error, 1)
		go func() { down <- r.server.Shutdown(context.Background()) }()
		require.Equal(t, wire.Goaway, p.next().Type)
		require.ErrorIs(t, p.failure(5), wire.ErrInterrupted)
		p.call(wire.Write, 7, writeBody("late"))
		p.send(wire.Find, 8, findBody(true, true))
		require.ErrorIs(t, p.failure(8), wire.ErrInterrupted, "no call begins to wait while the server shuts down")
		require.Equal(t, "late", entry(t, p.call(wire.Find, 9, findBody(true, false))))
		p.send(wire.Goodbye, 0, nil)
		require.NoError(t, <-down)
		require.NoError(t, r.server.Shutdown(context.Background()), "idempotent")
	})
}

// A client that neither reads nor says anything does not hold up the exit, however long that may take; calls whose
// outcome is not in the log yet do.
func TestServer_ShutdownCutsOffWhoeverIsSilent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, server.Config{}, partition.Config{})
		defer r.close()
		p := r.join()
		p.register()
		began := time.Now()
		require.NoError(t, r.server.Shutdown(context.Background()))
		require.LessOrEqual(t, time.Since(began), 3*time.Second)
	})
}

func TestServer_ShutdownCutsOffWhoeverStays(t *testing.T) {
	t.Parallel()
	r := newRig(t, server.Config{}, partition.Config{})
	defer r.close()
	p := r.join()
	ctx, cancel := context.WithCancel(t.Context())
	down := make(chan error, 1)
	go func() { down <- r.server.Shutdown(ctx) }()
	require.Equal(t, wire.Goaway, p.next().Type)
	cancel()
	require.ErrorIs(t, <-down, context.Canceled)
	_, err := p.tryNext()
	require.Error(t, err)
	require.ErrorIs(t, r.server.Serve(&pipes{done: make(chan struct{})}), server.ErrClosed)
}

func TestServer_GoodbyeEndsTheSession(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, server.Config{}, partition.Config{})
		defer r.close()
		p := r.join()
		p.register()
		p.send(wire.Find, 5, findBody(true, true))
		p.send(wire.Goodbye, 0, nil)
		synctest.Wait()
		require.Zero(t, r.server.Stats().Sessions)
		require.Zero(t, r.partition.Stats().Waiting)
	})
}

// gate is a log whose appends succeed or fail when the test says so.
type gate chan error

func (g gate) Append([]byte) error { return <-g }

func (g gate) Last() uint64 { return 0 }

func (g gate) Read(context.Context, uint64, uint64, func(record.Group) error) error { return nil }

func (gate) Load(context.Context, func([]byte) error, func(done, total uint64)) (uint64, record.Clock, error) {
	return 0, record.Clock{}, nil
}

func (g gate) CatchUp(
	context.Context, uint64, func(record.Group) error, func(done, total uint64),
) (uint64, error) {
	return 0, nil
}

func (g gate) Claim(context.Context, uint64, record.Clock) (record.Group, error) {
	return record.Group{}, nil
}

func TestServer_ReadsDoNotWaitForWritesOfOthers(t *testing.T) {
	t.Parallel()
	log := make(gate, 2)
	r := newRig(t, server.Config{}, partition.Config{Log: log})
	defer func() { close(log); r.close() }()
	p := r.join()
	log <- nil
	p.register()
	log <- nil
	p.call(wire.Write, 3, writeBody("old"))
	p.send(wire.Write, 4, writeBody("new")) // it stays in the log
	require.Equal(t, "old", entry(t, p.call(wire.Find, 5, findBody(false, false))))
	p.send(wire.Find, 6, findBody(true, false))
	require.Empty(t, p.call(wire.Echo, 7, nil), "the take waits for its own removal to be durable")
	log <- nil
	p.answer(4)
	log <- nil
	require.Equal(t, "old", entry(t, p.answer(6).Body))
}

// counted is a log that counts its appends.
type counted struct {
	gate
	appends atomic.Int64
}

func (c *counted) Append([]byte) error {
	c.appends.Add(1)
	return nil
}

// Whatever is in a batch, and wherever it is halved, each call has one answer, even if the client reads less than it
// asks for.
func TestServer_EveryCallOfABatchIsAnsweredOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, server.Config{MaxUnsent: 256}, partition.Config{Log: new(counted)})
	defer r.close()
	p := r.join()
	p.register()
	rng := rand.New(rand.NewPCG(1, 2))
	next := uint64(3)
	stored := 0
	for range 300 {
		var batch []byte
		missing := map[uint64]wire.Type{}
		for range 1 + rng.IntN(60) {
			op, body := wire.Write, writeBody("x")
			switch rng.IntN(8) {
			case 0:
				op, body = wire.Echo, make([]byte, rng.IntN(300))
			case 1:
				op, body = wire.Open, openBody(1, "memory")
			case 2, 3:
				op, body = wire.Find, findBody(true, false)
			case 4:
				op, body = wire.Spaces, nil
			}
			batch = wire.AppendFrame(batch, op, next, body)
			missing[next] = op
			next++
		}
		go p.conn.Write(batch) // the server stops to read when too much is unsent
		for len(missing) > 0 {
			f := p.next()
			if f.Type != wire.Answer && f.Type != wire.Failure {
				continue
			}
			op, ok := missing[f.ID]
			require.True(t, ok, "a second answer to %d", f.ID)
			delete(missing, f.ID)
			switch {
			case op == wire.Write:
				require.Equal(t, wire.Answer, f.Type)
				stored++
			case op == wire.Find && f.Type == wire.Answer:
				stored--
			}
		}
	}
	for ; ; next++ {
		p.send(wire.Find, next, findBody(true, false))
		if p.answer(next).Type == wire.Failure {
			break
		}
		stored--
	}
	require.Zero(t, stored)
}

func TestServer_BatchIsCommittedInHalves(t *testing.T) {
	t.Parallel()
	log := new(counted)
	r := newRig(t, server.Config{}, partition.Config{Log: log})
	defer r.close()
	p := r.join()
	p.register()
	const calls = 20
	next := uint64(3)
	for tries := 0; ; tries++ {
		var batch []byte
		for i := range uint64(calls) {
			batch = wire.AppendFrame(batch, wire.Write, next+i, writeBody("x"))
		}
		before := log.appends.Load()
		p.write(batch)
		for range calls {
			p.answer(next)
			next++
		}
		if log.appends.Load() >= before+2 {
			return
		}
		require.Less(t, tries, 1000, "whenever the committer comes in time, it finds one half")
	}
}

func TestServer_LostLogMakesOutcomesUnknownAndOtherSpacesGoOn(t *testing.T) {
	t.Parallel()
	log := make(gate, 2)
	r := newRig(t, server.Config{}, partition.Config{Log: log})
	defer func() { close(log); r.close() }()
	p := r.join()
	log <- nil
	p.register()
	p.call(wire.Open, 3, openBody(1, "memory"))
	p.send(wire.Find, 4,
		append(wire.AppendTemplate(append(appendFind([]byte{1}, true, wire.WaitForever, 1), 0, 1), 0, nil), 0))
	log <- errors.New("disk full")
	p.send(wire.Write, 5, writeBody("x"))
	require.Equal(t, wire.Reset, p.next().Type)
	require.ErrorIs(t, p.failure(5), call.ErrOutcomeUnknown)
	p.send(wire.CancelWait, 4, nil)
	require.ErrorIs(t, p.failure(4), call.ErrCancelled, "it has waited, in another space")
}

// Whatever a client sends, the server stays up and others are served.
func FuzzServer(f *testing.F) {
	hello := wire.AppendHello(nil, &wire.Greeting{MinVersion: wire.Version, MaxVersion: wire.Version})
	open := wire.AppendFrame(hello, wire.Open, 1, openBody(0, "space"))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Add(wire.AppendFrame(open, wire.Write, 2, writeBody("x")))
	f.Add(wire.AppendFrame(open, wire.Find, 2, findBody(true, true)))
	f.Add(wire.AppendFrame(open, wire.Notify, 2, append(wire.AppendTemplate([]byte{0, 0, 0, 0, 0, 1}, 0, nil), 0)))
	begun := wire.AppendFrame(open, wire.BeginTxn, 2, wire.AppendLease([]byte{0}, math.MaxInt64))
	f.Add(wire.AppendFrame(begun, wire.Commit, 3, append(wire.AppendTxn([]byte{0}, txn.ID{Number: 1}), 0)))
	f.Add(wire.AppendFrame(begun, wire.Rollback, 3, append(wire.AppendTxn([]byte{0}, txn.ID{Number: 1}), 1, 1)))
	f.Add(wire.AppendFrame(begun, wire.Defer, 3, append(wire.AppendTxn([]byte{0}, txn.ID{Number: 1}), 1, 1)))
	f.Add(wire.AppendFrame(begun, wire.Abort, 3, wire.AppendTxn([]byte{0}, txn.ID{Number: 1})))
	f.Add(wire.AppendFrame(begun, wire.Update, 3,
		wire.AppendChange(wire.AppendTxn([]byte{0}, txn.ID{Number: 1}), &call.Change{ID: 1, Kind: 1, Row: row("x")})))
	r := newRig(f, server.Config{MaxFrame: wire.MinMaxFrame, Resume: -1}, partition.Config{})
	f.Cleanup(r.close)
	good := r.join()
	good.register()
	var mu sync.Mutex
	f.Fuzz(func(t *testing.T, b []byte) {
		mu.Lock()
		defer mu.Unlock()
		good.t = t
		p := r.connect()
		go io.Copy(io.Discard, p.conn)
		if _, err := p.conn.Write(b); err == nil {
			p.conn.Close()
		}
		good.call(wire.Echo, 77, nil)
	})
}

func (gate) Follow(context.Context, uint64, func(record.Group) error) error {
	panic("this log has no followers")
}

func (gate) Resign(string, record.Clock) error { panic("this log has no heirs") }
func (gate) Distrust() error                   { panic("this log has no images") }
