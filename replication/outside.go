package replication

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// NATS is an existing NATS cluster with JetStream that keeps the logs of a cluster, instead of servers within its
// nodes. All messages between nodes go over it, too.
//
// It decides which of its servers have a log, and how long it takes to elect another leader when one fails: a few
// seconds, since nothing can hasten that from outside. The account must be of this cluster alone, and the servers must
// take messages of MaxMessage bytes with their headers.
type NATS struct {
	URL   string // of its servers, separated by commas
	Creds string // file with the credentials of a user; "": none
}

// enter connects to a NATS cluster, and returns once its JetStream answers. It returns an error if it never will, and
// the cause of ctx's end.
func enter(ctx context.Context, cfg Config) (*embedded, error) {
	e := &embedded{cluster: cfg.Cluster, refused: &refusals{}}
	for began, told := time.Now(), ""; ; {
		later, err := e.enter(ctx)
		switch {
		case err == nil:
			return e, nil
		case !later:
			return nil, fmt.Errorf("%w: use the NATS servers at %s: %w", ErrFailed, cfg.Cluster.NATS.hosts(), err)
		case err.Error() != told && time.Since(began) >= tellPause:
			told = err.Error()
			cfg.Waits(fmt.Sprintf("waits for the NATS servers at %s: %v", cfg.Cluster.NATS.hosts(), err))
		}
		if over := pause(ctx, askPause); over != nil {
			return nil, fmt.Errorf("%w, after %w", over, err)
		}
	}
}

// enter connects once. After an error, later tells that another attempt may succeed.
func (e *embedded) enter(ctx context.Context) (later bool, err error) {
	to := e.cluster.NATS
	options := []nats.Option{
		nats.Name("gospaces " + e.cluster.Name + "/" + e.cluster.Node), reconnects,
		nats.PingInterval(routePing), nats.MaxPingsOutstanding(routePings),
	}
	if to.Creds != "" {
		options = append(options, nats.UserCredentials(to.Creds))
	}
	nc, err := nats.Connect(to.URL, options...)
	if err != nil {
		return errors.Is(err, nats.ErrNoServers) || errors.Is(err, nats.ErrTimeout), err
	}
	if later, err = e.use(ctx, nc); err != nil {
		nc.Close()
		return later, err
	}
	return false, nil
}

// use adopts a connection to the servers if they will do.
func (e *embedded) use(ctx context.Context, nc *nats.Conn) (later bool, err error) {
	if most := nc.MaxPayload(); most < maxPayload {
		return false, fmt.Errorf("they take messages of up to %d bytes: set their max_payload to %d or more", most,
			maxPayload)
	}
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(createTimeout))
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, createTimeout)
	defer cancel()
	_, err = js.AccountInfo(ctx)
	if errors.Is(err, jetstream.ErrJetStreamNotEnabled) || errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount) {
		return false, err
	}
	if err == nil {
		e.nc, e.js = nc, js
	}
	return true, err
}

// isOutside reports whether the logs are kept by servers of other processes.
func (e *embedded) isOutside() bool { return e.srv == nil }

// Outside reports whether a NATS cluster other than the nodes' own keeps the logs. It decides where they are.
func (s *Store) Outside() bool { return s.cfg.Cluster != nil && s.cfg.Cluster.NATS != nil }

// errOtherCluster is returned for an account that another cluster uses.
var errOtherCluster = errors.New("the NATS account is used by another cluster")

// ownedBy returns an error if a log is that of another cluster.
func (e *embedded) ownedBy(info *jetstream.StreamInfo) error {
	if name := info.Config.Metadata[metaCluster]; e.isOutside() && name != e.cluster.Name {
		return fmt.Errorf("%w, %q: each needs an account of its own", errOtherCluster, name)
	}
	return nil
}

// hopeless reports whether a request to servers outside will never succeed: they are no cluster, or belong to another
// one.
func hopeless(err error) bool {
	var refused *jetstream.APIError
	return errors.Is(err, errOtherCluster) ||
		errors.As(err, &refused) && refused.ErrorCode == codeNoReplicas
}

// codeNoReplicas is the error of a JetStream server that is in no cluster, for a stream with several replicas.
const codeNoReplicas = 10074

// measureEvery is how often the servers outside are asked for the size of a log.
const measureEvery = 30 * time.Second

// measureOutside is measure for a log that is kept outside.
func (l *shared) measureOutside() {
	if time.Since(l.measured) < measureEvery {
		return
	}
	l.measured = time.Now()
	ctx, cancel := context.WithTimeout(l.store.life, askTimeout)
	defer cancel()
	if st, err := l.serverState(ctx); err == nil && st.Msgs > 0 {
		l.purged(st)
	}
}

// madeOutside is made for a log that is kept outside.
func (l *shared) madeOutside() (string, error) {
	ctx, cancel := context.WithTimeout(l.store.life, createTimeout)
	defer cancel()
	st, err := l.srv.js.Stream(ctx, l.id.stream())
	if err != nil {
		return "", failedOr(ctx, err)
	}
	return st.CachedInfo().Config.Metadata[metaIncarnation], nil
}

// hosts returns the URL without its user.
func (n *NATS) hosts() string {
	urls := strings.Split(n.URL, ",")
	for i, u := range urls {
		if at := strings.LastIndexByte(u, '@'); at >= 0 {
			u = u[at+1:]
		}
		urls[i] = strings.TrimSpace(u)
	}
	return strings.Join(urls, ",")
}

// check returns what is wrong with the settings of a cluster that uses NATS.
func (n *NATS) check(c *Cluster) error {
	var errs []error
	if n.URL == "" {
		errs = append(errs, wrong("Cluster.NATS", "is missing: it is the URL of the NATS cluster"))
	}
	for setting, is := range map[string]bool{
		"Cluster.Listen": c.Listen != "", "Cluster.Key": len(c.Key) > 0, "Cluster.TLS": c.TLS != nil,
	} {
		if is {
			errs = append(errs, wrong(setting, "is not for nodes that use Cluster.NATS: they do not listen for each "+
				"other, and its URL (tls://) and credentials protect what they send"))
		}
	}
	return errors.Join(errs...)
}
