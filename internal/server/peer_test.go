package server_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/internal/server"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// parts is a server.Spaces with partitions that are there from the start.
type parts map[txn.Address]server.Host

func (ps parts) Lookup(at txn.Address) (server.Place, error) {
	if p := ps[at]; p != nil {
		return server.Place{Host: p, Incarnation: "first", Partitions: 1}, nil
	}
	return server.Place{}, fmt.Errorf("%w: no partition %v", call.ErrInvalidArgument, at)
}

func (parts) Create(string, call.Shape) error { return nil }

func (parts) Drop(context.Context, string, bool) ([]server.Host, error) {
	return nil, call.ErrInvalidArgument
}

func (parts) Names() []string { return []string{"memory", "space"} }

func (parts) Status() []byte { return []byte("{}") }

// pipes is a listener whose connections are net.Pipes: without buffers in between, and fit for synctest.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// rig is a server with a space, and peers that speak the bare protocol to it.
type rig struct {
	t         testing.TB
	partition *partition.Partition
	memory    *partition.Partition
	parts     parts
	server    *server.Server
	listener  *pipes
	served    chan error
}

func newRig(t testing.TB, cfg server.Config, pcfg partition.Config) *rig {
	r := &rig{
		t: t, partition: partition.New(pcfg), memory: partition.New(partition.Config{}), served: make(chan error, 1),
		listener: &pipes{conns: make(chan net.Conn), done: make(chan struct{})},
	}
	require.NoError(t, r.partition.Start(context.Background(), nil))
	require.NoError(t, r.memory.Start(context.Background(), nil))
	r.parts = parts{{Space: "space"}: partition.Alone(r.partition), {Space: "memory"}: partition.Alone(r.memory)}
	cfg.Spaces = r.parts
	var err error
	r.server, err = server.New(cfg)
	require.NoError(t, err)
	go func() { r.served <- r.server.Serve(r.listener) }()
	return r
}

// close stops everything; bubbles must call it before they end.
func (r *rig) close() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = r.server.Shutdown(ctx)
	require.ErrorIs(r.t, <-r.served, server.ErrClosed)
	require.NoError(r.t, r.partition.Close())
	require.NoError(r.t, r.memory.Close())
}

// peer is one connection.
type peer struct {
	t     testing.TB
	conn  net.Conn
	in    *wire.Reader
	terms *wire.Terms
}

func (r *rig) connect() *peer {
	here, there := net.Pipe()
	r.listener.conns <- there
	return &peer{t: r.t, conn: here, in: wire.NewReader(here, wire.DefaultMaxFrame)}
}

// join connects, does the handshake and opens the space as 0.
func (r *rig) join() *peer {
	p := r.connect()
	p.hello(wire.Greeting{MinVersion: wire.Version, MaxVersion: wire.Version})
	p.call(wire.Open, 1, openBody(0, "space"))
	return p
}

// openBody is that of an Open by a client that had no session before.
func openBody(handle byte, name string) []byte { return openAfter(handle, name, 0) }

// openAfter is openBody after so many Resets of the handle.
func openAfter(handle byte, name string, resets byte) []byte {
	return append(wire.AppendAddress([]byte{handle}, txn.Address{Space: name}), 0, resets)
}

func (p *peer) hello(g wire.Greeting) {
	p.write(wire.AppendHello(nil, &g))
	f := p.next()
	require.Equal(p.t, wire.Welcome, f.Type)
	var err error
	p.terms, err = wire.DecodeWelcome(f.Body, nil)
	require.NoError(p.t, err)
	p.in.Restart(g.Received)
}

func (p *peer) write(b []byte) {
	_, err := p.conn.Write(b)
	require.NoError(p.t, err)
}

func (p *peer) send(t wire.Type, id uint64, body []byte) { p.write(wire.AppendFrame(nil, t, id, body)) }

// post is a send that does not wait for the server to read the frame. The goroutine that reads may be writing what the
// peer has not read yet, and there is no buffer between the two.
func (p *peer) post(t wire.Type, id uint64, body []byte) {
	go func() { _, _ = p.conn.Write(wire.AppendFrame(nil, t, id, body)) }()
}

func (p *peer) tryNext() (wire.Frame, error) {
	for {
		f, ok, err := p.in.Next()
		if ok || err != nil {
			return f, err
		}
		if err := p.in.Fill(); err != nil {
			return f, err
		}
	}
}

func (p *peer) next() wire.Frame {
	f, err := p.tryNext()
	require.NoError(p.t, err)
	return f
}

// answer returns the next frame that ends a call, which must be that one.
func (p *peer) answer(callID uint64) wire.Frame {
	for {
		f := p.next()
		if f.Type == wire.Answer || f.Type == wire.Failure {
			require.Equal(p.t, callID, f.ID)
			return f
		}
	}
}

// call makes a call that succeeds.
func (p *peer) call(t wire.Type, callID uint64, body []byte) []byte {
	p.send(t, callID, body)
	f := p.answer(callID)
	require.Equal(p.t, wire.Answer, f.Type, "%s", f.Body)
	return f.Body
}

func (p *peer) failure(callID uint64) error {
	f := p.answer(callID)
	require.Equal(p.t, wire.Failure, f.Type)
	d := wire.NewDecoder(f.Body)
	return d.Error()
}

func (p *peer) refusal() error {
	f := p.next()
	require.Equal(p.t, wire.Refused, f.Type)
	d := wire.NewDecoder(f.Body)
	return d.Error()
}

// register makes a kind with one string field known, as number 1.
func (p *peer) register() {
	p.call(wire.Register, 2, kindBody)
}

var kindBody = template.AppendSchema([]byte{0}, &template.Schema{
	Kind: "k", Fields: []template.Field{{Name: "f", Class: template.String}},
})

func row(s string) template.Row { return wire.AppendBytes(nil, template.AppendString(nil, s)) }

func writeBody(s string) []byte { return wire.AppendDraft([]byte{0, 0, 2}, 1, math.MaxInt64, row(s)) }

// findBody asks for any entry of kind 1.
func findBody(take bool, waitForever bool) []byte {
	var wait time.Duration
	if waitForever {
		wait = wire.WaitForever
	}
	return append(wire.AppendTemplate(append(appendFind([]byte{0}, take, wait, 1), 0, 1), 1, nil), 0)
}

// appendFind appends the beginning of a find, up to the query.
func appendFind(dst []byte, take bool, wait time.Duration, max int) []byte {
	return wire.AppendFind(dst, &call.Query{Take: take, Max: max}, wait)
}

func entry(t testing.TB, body []byte) string {
	return string(answered(t, wire.Find, body).Entries[0].Row.Field(0)[1:])
}

// answered decodes the answer to a call of a type.
func answered(t testing.TB, typ wire.Type, body []byte) (r call.Result) {
	d := wire.NewDecoder(body)
	wire.OpOf(typ).DecodeAnswer(&d, &r)
	require.NoError(t, d.Err())
	return r
}

func uvarints(vs ...uint64) []byte {
	var b []byte
	for _, v := range vs {
		b = binary.AppendUvarint(b, v)
	}
	return b
}
