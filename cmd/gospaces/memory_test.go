package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/spacetest"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// attacked is a server that may use little memory, in a process of its own.
type attacked struct {
	t    *testing.T
	addr string
	pid  int
	cl   *client.Client
}

// attackedMemory is what it may use.
const attackedMemory = 256 << 20

func startAttacked(t *testing.T, args ...string) *attacked {
	cmd := exec.CommandContext(t.Context(), spacetest.Program(t), append([]string{
		"serve", "--listen", "127.0.0.1:0", "--data", t.TempDir(), "--max-memory", "256MiB", "--frame-timeout", "1s",
		"--log-level", "warn",
	}, args...)...)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	a := &attacked{t: t, addr: strings.TrimSpace(strings.TrimPrefix(line, "gospaces: ready at ")), pid: cmd.Process.Pid}
	a.cl, err = client.Dial(t.Context(), a.addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = a.cl.Close() })
	return a
}

type Stuff struct {
	N    int
	Data []byte
}

// serves requires that the server has survived, and does what it should, as soon as there is room again.
func (a *attacked) serves() {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(a.t.Context(), time.Minute)
	defer cancel()
	a.whenThereIsRoom(func() error {
		_, err := space.Write(ctx, a.cl, Stuff{N: -1})
		return err
	})
	a.whenThereIsRoom(func() error {
		_, err := space.Take(ctx, a.cl, Stuff{N: -1})
		return err
	})
	a.t.Logf("peak: %d MiB", a.peak()>>20)
	require.Less(a.t, a.peak(), int64(attackedMemory+attackedMemory/4))
}

// whenThereIsRoom makes a call until it is not refused for want of memory.
func (a *attacked) whenThereIsRoom(op func() error) {
	a.t.Helper()
	err := op()
	for ; errors.Is(err, space.ErrSpaceFull); err = op() {
		time.Sleep(10 * time.Millisecond)
	}
	require.NoError(a.t, err)
}

// peak returns the most memory that the process has had.
func (a *attacked) peak() int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", a.pid))
	if errors.Is(err, os.ErrNotExist) {
		a.t.Skip("the system does not tell how much memory a process has had")
	}
	require.NoError(a.t, err)
	_, rest, ok := strings.Cut(string(b), "VmHWM:")
	require.True(a.t, ok)
	kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	require.NoError(a.t, err)
	return kb << 10
}

// greeted returns a connection that has done the handshake, and reads nothing more.
func (a *attacked) greeted() net.Conn {
	nc, err := net.Dial("tcp", a.addr)
	require.NoError(a.t, err)
	a.t.Cleanup(func() { nc.Close() })
	_, err = nc.Write(wire.AppendHello(nil, &wire.Greeting{MinVersion: wire.Version, MaxVersion: wire.Version}))
	require.NoError(a.t, err)
	in := wire.NewReader(nc, wire.MaxHello)
	for ok := false; !ok; _, ok, err = in.Next() {
		require.NoError(a.t, in.Fill())
	}
	require.NoError(a.t, err)
	return nc
}

// longFrame is an Echo as long as a frame may be.
var longFrame = sync.OnceValue(func() []byte {
	return wire.AppendFrame(nil, wire.Echo, 1, make([]byte, wire.DefaultMaxFrame-16))
})

// many sends b over n new connections at the same time, and closes them in the end.
func (a *attacked) many(n int, b []byte) {
	var all sync.WaitGroup
	var conns []net.Conn
	for range n {
		conns = append(conns, a.greeted())
	}
	for _, nc := range conns {
		all.Go(func() {
			_ = nc.SetWriteDeadline(time.Now().Add(5 * time.Second)) // the server may not want to read it
			_, _ = nc.Write(b)
		})
	}
	all.Wait()
	a.t.Logf("%d connections have sent what they have: peak %d MiB", n, a.peak()>>20)
	for _, nc := range conns {
		nc.Close()
	}
}

func TestServe_SurvivesFramesThatNeverEnd(t *testing.T) {
	a := startAttacked(t)
	a.many(100, longFrame()[:len(longFrame())-1])
	a.serves()
}

func TestServe_SurvivesAnswersThatNobodyReads(t *testing.T) {
	a := startAttacked(t)
	a.many(54, longFrame())
	a.serves()
}

// largeFind returns the body of a Find that waits for ever, with 15 MiB of operands, of the kind that is the first of
// its space.
func largeFind() []byte {
	const n = 64
	in := template.Cond{Field: 1, Op: template.In}
	for i := range n {
		data := make([]byte, 15<<20/n)
		data[0] = byte(i)
		in.Values = append(in.Values, template.AppendBytes(nil, data))
	}
	b := wire.AppendFind([]byte{0}, &call.Query{Max: 1}, wire.WaitForever)
	b = append(wire.AppendTxn(b, txn.ID{}), 1)
	b = wire.AppendTemplate(b, 1, []template.Cond{in})
	return template.AppendOrder(b, nil)
}

func TestServe_SurvivesLargeCallsThatWait(t *testing.T) {
	a := startAttacked(t)
	_, err := space.Write(t.Context(), a.cl, Stuff{N: -1})
	require.NoError(t, err)
	nc := a.greeted()
	open := wire.Begin(nil, wire.Open, 1)
	open = append(wire.AppendBytes(append(open, 0), "default"), 0, 0, 0)
	_, err = nc.Write(wire.End(open, 0))
	require.NoError(t, err)
	find := largeFind()
	for callID := range uint64(105) {
		_, err = nc.Write(wire.AppendFrame(nil, wire.Find, callID+2, find))
		require.NoError(t, err)
	}
	_, err = nc.Write(wire.AppendFrame(nil, wire.Ping, 0, nil))
	require.NoError(t, err)
	in := wire.NewReader(nc, wire.DefaultMaxFrame)
	refused := 0
	for {
		f, ok, err := in.Next()
		require.NoError(t, err)
		if !ok {
			require.NoError(t, in.Fill())
			continue
		}
		if f.Type == wire.Failure {
			d := wire.NewDecoder(f.Body)
			require.ErrorIs(t, d.Error(), space.ErrSpaceFull)
			refused++
		}
		if f.Type == wire.Pong {
			break
		}
	}
	t.Logf("%d of 105 were refused: peak %d MiB", refused, a.peak()>>20)
	require.Greater(t, refused, 105-attackedMemory/(15<<20))
	require.Less(t, refused, 105, "some may wait")
	for {
		if _, err = space.Take(t.Context(), a.cl, Stuff{N: -1}); err == nil {
			break // takes go on, once what came with the calls is given back
		}
		require.ErrorIs(t, err, space.ErrSpaceFull)
		time.Sleep(10 * time.Millisecond)
	}
	nc.Close()
	a.serves()
}

func TestServe_SurvivesAWriterWithoutConsumers(t *testing.T) {
	a := startAttacked(t)
	ctx := t.Context()
	var all sync.WaitGroup
	var written atomic.Int64
	for range 16 {
		all.Go(func() {
			for {
				_, err := space.Write(ctx, a.cl, Stuff{N: 1, Data: make([]byte, 50_000)})
				if err != nil {
					require.ErrorIs(t, err, space.ErrSpaceFull)
					require.ErrorIs(t, err, space.ErrUnavailable)
					require.ErrorContains(t, err, "--max-memory")
					return
				}
				written.Add(1)
			}
		})
	}
	all.Wait()
	t.Logf("%d MiB were written: peak %d MiB", written.Load()*50_000>>20, a.peak()>>20)
	require.Greater(t, written.Load()*50_000, int64(attackedMemory/4), "most memory is for entries")
	n, err := space.Count(ctx, a.cl, Stuff{})
	require.NoError(t, err)
	require.Equal(t, int(written.Load()), n, "what was acknowledged is there")
	ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	_, err = space.Read(ctx, a.cl, Stuff{N: 2})
	cancel()
	require.ErrorIs(t, err, context.DeadlineExceeded, "small calls may wait")
	for range written.Load() {
		_, err := space.Take(t.Context(), a.cl, Stuff{N: 1}, space.NoWait())
		require.NoError(t, err, "takes go on")
	}
	a.serves()
}
