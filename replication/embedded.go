package replication

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// MaxMessage is the largest message for Append. JetStream's files could hold twice as much.
	MaxMessage = 16 << 20

	// maxPayload leaves room for the header before a message.
	maxPayload = MaxMessage + 64<<10

	// maxPending is the server's buffer for a connection. Beyond it the server closes the connection; a reader requests
	// little more than one message at a time.
	maxPending = 128 << 20

	// apiTimeout limits the server's answer to a request that reads no log, in case the server hangs.
	apiTimeout = time.Minute

	// user is the name under which this process logs in to its own server.
	user = "gospaces"
)

// embedded is a running NATS server with one connection to it. Alone it listens on no port, in a cluster on one for
// other nodes. With Cluster.NATS it is just a connection to servers of other processes.
type embedded struct {
	cluster  *Cluster       // nil: it is alone
	srv      *server.Server // nil: with Cluster.NATS
	nc       *nats.Conn
	js       jetstream.JetStream
	password string
	refused  *refusals
}

// startEmbedded starts a server on the folder and waits until its streams are recovered, however long that takes. If
// ctx ends, it returns, and the server is stopped once it has recovered them; then abandoned is closed. accept repairs
// logs that have lost something.
func startEmbedded(
	ctx context.Context, f *folder, cfg Config, accept bool,
) (_ *embedded, abandoned <-chan struct{}, err error) {
	if cfg.Cluster != nil && cfg.Cluster.NATS != nil {
		e, err := enter(ctx, cfg)
		return e, nil, err
	}
	log := &serverLog{log: cfg.Logger}
	e := &embedded{password: rand.Text(), cluster: cfg.Cluster}
	if e.refused, err = f.prepare(ctx, cfg, accept); err != nil {
		return nil, nil, err
	}
	options, err := e.options(f, cfg.Sync)
	if err == nil {
		e.srv, err = server.NewServer(options)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%w: configure server: %w", ErrFailed, err)
	}
	e.srv.SetLoggerV2(log, false, false, false)
	started := make(chan struct{})
	go func() {
		e.srv.Start()
		close(started)
	}()
	select {
	case <-started:
	case <-ctx.Done():
		gone := make(chan struct{})
		go func() {
			<-started
			e.stop()
			close(gone)
		}()
		return nil, gone, context.Cause(ctx)
	}
	if err := e.ready(ctx, log, cfg.Waits); err != nil {
		e.stop()
		return nil, nil, fmt.Errorf("%w: start server on %s: %w", ErrFailed, f.path, err)
	}
	return e, nil, nil
}

// prepare prepares the files for the server, and returns the logs that it must not see. Nodes of a cluster recover
// their files by themselves.
func (f *folder) prepare(ctx context.Context, cfg Config, accept bool) (*refusals, error) {
	if cfg.Cluster != nil {
		return &refusals{}, nil
	}
	if err := f.endDrops(); err != nil {
		return nil, fmt.Errorf("%w: end the removal of logs: %w", ErrFailed, err)
	}
	if err := f.endUnmade(cfg.Logger); err != nil {
		return nil, fmt.Errorf("%w: remove logs that were never made: %w", ErrFailed, err)
	}
	refused, err := f.inspect(ctx, cfg, accept)
	if err != nil {
		return nil, fmt.Errorf("%w: look at the files: %w", ErrFailed, err)
	}
	return refused, nil
}

func (e *embedded) options(f *folder, sync bool) (*server.Options, error) {
	o := &server.Options{
		ServerName: "gospaces-" + f.id,
		DontListen: true,
		NoSigs:     true, // otherwise the server would end the process on a signal
		Username:   user, Password: e.password,

		JetStream:              true,
		StoreDir:               f.data(),
		DisableJetStreamBanner: true,
		JetStreamMaxMemory:     64 << 20,
		JetStreamMaxStore:      math.MaxInt64 / 2, // streams have their own limits, and the disk's
		SyncAlways:             sync,

		MaxPayload: maxPayload,
		MaxPending: maxPending,

		// Our connections are not read between requests, so the server must not ping them. A ping would find nothing anyway.
		PingInterval:          100 * 365 * 24 * time.Hour,
		DisableShortFirstPing: true,
	}
	if e.cluster == nil {
		return o, nil
	}
	return o, e.join(o)
}

// ready returns once the server can be used, or the error if it cannot.
func (e *embedded) ready(ctx context.Context, log *serverLog, waits func(why string)) error {
	for !e.srv.ReadyForConnections(100 * time.Millisecond) {
		if err := errors.Join(log.fatal(), ctx.Err()); err != nil {
			return err
		}
	}
	if err := log.fatal(); err != nil {
		return err
	}
	if e.cluster == nil {
		// The server only logs a stream that could not be recovered; a new one of the same name would take its place.
		if err := e.health(server.HealthzOptions{}); err != nil {
			return err
		}
	}
	nc, err := e.connect()
	if err != nil {
		return err
	}
	e.nc = nc
	timeout := apiTimeout
	if e.cluster != nil {
		timeout = createTimeout
	}
	if e.js, err = jetstream.New(nc, jetstream.WithDefaultTimeout(timeout)); err != nil || e.cluster == nil {
		return err
	}
	return e.awaitCluster(ctx, log, waits)
}

func (e *embedded) connect() (*nats.Conn, error) {
	again := nats.NoReconnect()
	if e.cluster != nil {
		again = reconnects
	}
	return nats.Connect("", nats.InProcessServer(e.srv), nats.UserInfo(user, e.password), again)
}

// publisher opens a connection for appending to a log.
func (e *embedded) publisher(id logID) (*publisher, error) {
	c, err := e.open(ackBuffer)
	if err != nil {
		return nil, err
	}
	return newPublisher(c, id, func() error { return e.usable(id.stream()) }), nil
}

// fetcher opens a connection for reading a log.
func (e *embedded) fetcher(id logID) (*fetcher, error) {
	c, err := e.open(readBuffer)
	if err != nil {
		return nil, err
	}
	return newFetcher(c, id), nil
}

// tail opens a connection for following a log.
func (e *embedded) tail(id logID) (*tail, error) {
	c, err := e.openAt(id.tail(), readBuffer)
	if err != nil {
		return nil, err
	}
	return newTail(c), nil
}

// sender opens a connection for sending messages to a log of a cluster. Answers on it name the message that they are
// for.
func (e *embedded) sender(id logID) (*publisher, error) {
	c, err := e.dial(login{inbox: newInbox(), numbered: true, buffer: ackBuffer})
	if err != nil {
		return nil, err
	}
	return newPublisher(c, id, nil), nil
}

func (e *embedded) open(buffer int) (*conn, error) { return e.openAt(newInbox(), buffer) }

func newInbox() string { return "gs.inbox." + rand.Text() }

// openAt opens a connection whose inbox is given.
func (e *embedded) openAt(inbox string, buffer int) (*conn, error) {
	return e.dial(login{inbox: inbox, buffer: buffer})
}

func (e *embedded) dial(l login) (_ *conn, err error) {
	if e.isOutside() {
		l.net = newBridge(e.nc)
	} else if l.net, err = e.srv.InProcessConn(); err != nil {
		return nil, err
	}
	l.user, l.password = user, e.password
	return openConn(l)
}

// usable returns the error if the stream can no longer be written to, as after a write error. Then the server answers
// no message.
func (e *embedded) usable(stream string) error {
	return e.health(server.HealthzOptions{Account: server.DEFAULT_GLOBAL_ACCOUNT, Stream: stream})
}

// health returns the first problem that the server finds with what opts names.
func (e *embedded) health(opts server.HealthzOptions) error {
	opts.Details = true
	if e.isOutside() {
		return nil // they are not ours to look after
	}
	for e.srv.Running() {
		st := e.srv.Healthz(&opts)
		if len(st.Errors) == 0 {
			return nil
		}
		// The server allows itself a millisecond to notice that it has started, which may be too short on a busy machine.
		if st.Errors[0].Type != server.HealthzErrorConn {
			return errors.New(st.Errors[0].Error)
		}
	}
	return errors.New("server stopped")
}

// stop stops the server with all its connections and goroutines.
func (e *embedded) stop() {
	if e.nc != nil {
		e.nc.Close()
	}
	if e.srv != nil {
		e.srv.Shutdown()
		e.srv.WaitForShutdown()
	}
}
