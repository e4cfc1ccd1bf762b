package spacetest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/gospaces/gospaces/internal/call"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/internal/local"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/internal/server"
	"github.com/gospaces/gospaces/replication"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/txn"
)

// TestAnswersWaitForTheLog stops the log, makes changes that it does not take, asks for what they changed, and lets the
// log fail: until then there must be no answer, for it would tell what never was; and afterwards the answer is that
// nothing has changed.
func TestAnswersWaitForTheLog(t *testing.T) {
	t.Parallel()
	for name, serve := range map[string]func(t *testing.T,
		p *partition.Partition) space.Space{"local": serveLocal, "server": serveTCP} {
		for _, q := range questions() {
			t.Run(name+"/"+q.name, func(t *testing.T) {
				t.Parallel()
				log := openGate(t)
				p := partition.New(partition.Config{Log: log})
				require.NoError(t, p.Start(t.Context(), nil))
				t.Cleanup(func() { require.NoError(t, p.Close()) })
				askBeforeTheLogFails(&kit{T: t, ctx: t.Context(), sp: serve(t, p)}, log, q)
			})
		}
	}
}

func askBeforeTheLogFails(k *kit, log *gate, q question) {
	kept := write(k, e1)
	write(k, e3)
	log.stop()
	changing, giveUp := context.WithCancel(k.ctx)
	change := start(k, func(context.Context) (any, error) { return q.change(changing, k, kept) })
	<-log.reached // it has changed the state in memory
	answer := start(k, func(ctx context.Context) (any, error) { return q.ask(ctx, k) })
	early := ""
	select {
	case <-answer.done:
		early = fmt.Sprint(answer.value, answer.err)
	case <-time.After(brief): // time to make the mistake; without it the case only sees less
	}
	giveUp() // otherwise a client would repeat the change until the log takes it
	log.fail()
	require.Empty(k, early, "an answer came before that of the log")

	_, err := change.wait()
	require.Error(k, err)
	got, err := answer.wait()
	if errors.Is(err, space.ErrOutcomeUnknown) || errors.Is(err, space.ErrUnavailable) {
		return // it was pending when the log failed, or came too early after that
	}
	k.ok(err)
	require.Equal(k, q.want, got)
}

// question is a change that the log will never hold, and what shows whether it was made: want is the answer without it.
type question struct {
	name   string
	change func(ctx context.Context, k *kit, kept *space.Lease) (any, error)
	ask    func(ctx context.Context, k *kit) (any, error)
	want   any
}

func questions() []question {
	takes := func(ctx context.Context, k *kit, _ *space.Lease) (any, error) {
		return space.Take(ctx, k.sp, e1, space.NoWait())
	}
	cancels := func(ctx context.Context, _ *kit, kept *space.Lease) (any, error) { return nil, kept.Cancel(ctx) }
	writes := func(ctx context.Context, k *kit, _ *space.Lease) (any, error) { return space.Write(ctx, k.sp, e2) }
	reads := func(v simple, opts ...space.ReadOption) func(context.Context, *kit) (any, error) {
		return func(ctx context.Context, k *kit) (any, error) {
			got, err := space.Read(ctx, k.sp, v, append([]space.ReadOption{space.NoWait()}, opts...)...)
			return orNone(got, err)
		}
	}
	counts := func(ctx context.Context, k *kit) (any, error) { return space.Count(ctx, k.sp, simple{}) }
	lists := func(ctx context.Context, k *kit) (any, error) {
		var all []simple
		for v, err := range space.Contents(ctx, k.sp, simple{}) {
			if err != nil {
				return nil, err
			}
			all = append(all, v)
		}
		return all, nil
	}
	registers := func(ctx context.Context, k *kit, _ *space.Lease) (any, error) {
		return k.sp.Register(ctx, schemaOf("raw", nil, "a"))
	}
	registersToo := func(ctx context.Context, k *kit) (any, error) {
		s, err := k.sp.Register(ctx, schemaOf("raw", nil, "a"))
		return s != nil, err
	}
	return []question{
		{"for what is being taken", takes, reads(e1), e1},
		{"for what is being taken, with a wait", takes, reads(e1, space.Wait(time.Millisecond)), e1},
		{"for the next after what is being taken", takes, reads(simple{Name: "A"}), e1},
		{"for the first in an order of what is being taken", takes, reads(simple{}, space.OrderBy("id")), e1},
		{"for what is being cancelled", cancels, reads(e1), e1},
		{"for what is being written", writes, reads(e2), "none"},
		{"for the first in an order of what is being written", writes, reads(simple{}, space.OrderBy("-name")), e1},
		{"for a count of what is being taken", takes, counts, 2},
		{"for a count of what is being written", writes, counts, 2},
		{"for a kind that is being registered", registers, registersToo, true},
		{"for contents without what is being taken", takes, lists, []simple{e1, e3}},
		{"for contents with what is being written", writes, lists, []simple{e1, e3}},
	}
}

// orNone turns an answer of none into a value.
func orNone(v any, err error) (any, error) {
	if errors.Is(err, space.ErrNoMatch) {
		return "none", nil
	}
	return v, err
}

// gate is a real log that can be stopped, and made to fail without storing anything.
type gate struct {
	*replication.Log
	reached chan struct{} // receives when an append arrives at the stopped log
	failing chan struct{} // closed by fail

	mu      sync.Mutex
	stopped bool // guarded by mu
}

func openGate(t *testing.T) *gate {
	t.Helper()
	store, err := replication.Open(t.Context(), replication.Config{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	log, err := store.Log(t.Context(), "default", 0)
	require.NoError(t, err)
	return &gate{Log: log, reached: make(chan struct{}, 1), failing: make(chan struct{})}
}

// stop holds up the next append, until fail.
func (g *gate) stop() { g.set(true) }

// fail makes the append that is held up fail, and lets later ones pass.
func (g *gate) fail() {
	g.set(false)
	close(g.failing)
}

func (g *gate) set(stopped bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.stopped = stopped
}

// Append implements partition.Log.
func (g *gate) Append(msg []byte) error {
	g.mu.Lock()
	stopped := g.stopped
	g.mu.Unlock()
	if !stopped {
		return g.Log.Append(msg)
	}
	g.reached <- struct{}{}
	<-g.failing
	return errors.New("the log is made to fail")
}

func serveLocal(_ *testing.T, p *partition.Partition) space.Space { return local.New(p, nil) }

// serveTCP returns a client of a server of one partition.
func serveTCP(t *testing.T, p *partition.Partition) space.Space {
	srv, err := server.New(server.Config{Spaces: oneSpace{partition.Alone(p)}})
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = srv.Shutdown(ctx)
		require.ErrorIs(t, <-served, server.ErrClosed)
	})
	c, err := client.Dial(t.Context(), l.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

// oneSpace implements server.Spaces.
type oneSpace struct{ h *partition.Host }

func (s oneSpace) Create(string, call.Shape) error { return nil }

func (oneSpace) Drop(context.Context, string, bool) ([]server.Host, error) {
	return nil, space.ErrInvalidArgument
}

func (s oneSpace) Lookup(txn.Address) (server.Place, error) {
	return server.Place{Host: s.h, Incarnation: "one", Partitions: 1}, nil
}

func (s oneSpace) Names() []string { return []string{client.DefaultSpace} }
func (s oneSpace) Status() []byte  { return []byte("{}") }
