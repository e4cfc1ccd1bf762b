package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/gospaces/gospaces/internal/cluster"
	"github.com/gospaces/gospaces/txn"
)

// admin serves the address for operators: over HTTP, without a password.
type admin struct {
	listener net.Listener
	server   *http.Server
	done     chan error // the result of Serve

	stop     context.CancelFunc // of the sampling
	sampling sync.WaitGroup
}

// startAdmin begins to serve the admin address.
func (n *Node) startAdmin() error {
	listener, err := listenOn("Admin", n.cfg.Admin)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "alive") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := n.ready(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	})
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		if !n.up.Load() {
			http.Error(w, "starting or stopping", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(n.Status()) // the client has gone
	})
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(collector{n}, n.appends, n.calls,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	if n.cfg.Cluster != nil {
		mux.HandleFunc("GET /debug/audit", n.serveAudit)
	}
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	n.admin = &admin{
		listener: listener, server: &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second},
		done: make(chan error, 1),
	}
	ctx, stop := context.WithCancel(context.Background())
	n.admin.stop = stop
	n.admin.sampling.Go(func() { n.sampleAges(ctx) })
	go func() { n.admin.done <- n.admin.server.Serve(listener) }()
	return nil
}

// close stops the admin address. A nil admin is none.
func (a *admin) close() error {
	if a == nil {
		return nil
	}
	a.stop()
	a.sampling.Wait()
	err := a.server.Close() // readers of a profile are not waited for
	if served := <-a.done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// AdminAddr returns the address for operators; "" if there is none.
func (n *Node) AdminAddr() string {
	if n.admin == nil {
		return ""
	}
	return n.admin.listener.Addr().String()
}

// ready returns an error if the node does not serve what it should. A node of a cluster is ready once it leads or
// follows each of its partitions.
func (n *Node) ready() error {
	switch {
	case n.stopping.Load():
		return errors.New("stopping")
	case !n.up.Load():
		return errors.New("starting")
	case n.fleet != nil:
		return n.fleet.ready()
	}
	return nil
}

// ready returns an error if a replica that should be on this node neither serves nor follows.
func (f *fleet) ready() error {
	state, _ := f.member.State()
	var errs []error
	state.Replicas(f.cfg.Cluster.Node, func(at txn.Address, sp *cluster.Space, _ cluster.Partition) {
		if sp.Unfinished() {
			return // no node has a replica
		}
		err := errors.New("it is not open yet")
		if s := f.at(at); s != nil {
			if _, serves := s.partition.Serving(); !serves {
				err = replica{s}.Able()
			} else if why := s.waits(); why != "" {
				err = errors.New(why)
			} else {
				return
			}
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("the replica of %v is not ready: %w", at, err))
		}
	})
	return errors.Join(errs...)
}

// newAppends returns the histogram of appends, of all spaces together.
func newAppends() prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "gospaces_log_append_seconds",
		Help:    "Time until the log had a message; all changes that had collected meanwhile share it.",
		Buckets: prometheus.ExponentialBuckets(20e-6, 2, 16),
	})
}

// newCalls returns the histogram of calls, by operation.
func newCalls() *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "gospaces_call_seconds",
		Help: "Time from when a call was read until its outcome was durable, of one call in 128 of each client; " +
			"calls that wait for an entry are left out.",
		Buckets: prometheus.ExponentialBuckets(10e-6, 2, 20),
	}, []string{"op"})
}
