package replication

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// maxReplicas is the maximum number of nodes that have a log.
	maxReplicas = 5

	// createTimeout limits one request to make a log, which takes 0.1 to 0.2 s. A request that finds no leader is never
	// answered.
	createTimeout = 2 * time.Second

	// createPause is the time between two such requests.
	createPause = 50 * time.Millisecond
)

// ErrIncarnation is returned by Create for a log that exists with another incarnation.
var ErrIncarnation = errors.New("replication: there is another log of that name")

// ErrStorage is returned by Create for a log that exists in memory where this node would keep it in files, or the other
// way round.
var ErrStorage = errors.New("replication: the log is kept in another way")

// ErrNoLog is returned by Store.Log in a cluster for a log that does not exist: it was not created, or was dropped.
var ErrNoLog = errors.New("replication: there is no such log")

// Create makes the log of a partition in a cluster, on the named nodes; it needs a majority of them. It returns nil if
// the log exists with the same incarnation, wherever it is; ErrIncarnation if it exists with another one, unless
// nothing is left of that; and ErrStorage if it contradicts Cluster.Memory. It tries again while the cluster cannot
// make the log, until ctx ends; then it returns the cause, and it is unknown whether the log exists.
func (s *Store) Create(ctx context.Context, space string, partition int, incarnation string, on []string) error {
	id := logID{space, partition}
	if err := s.placeable(id, on); err != nil {
		return err
	}
	return s.insist(ctx, "create", id, func(ctx context.Context, srv *embedded) error {
		cfg := streamConfig(id, incarnation, s.cfg)
		srv.place(&cfg, on, nil)
		st, err := srv.js.CreateStream(ctx, cfg)
		switch {
		case errors.Is(err, jetstream.ErrStreamNameAlreadyInUse):
			if st, err = srv.js.Stream(ctx, id.stream()); err != nil {
				return err
			}
			if err := errors.Join(srv.ownedBy(st.CachedInfo()), s.sameStorage(st.CachedInfo())); err != nil {
				return err
			}
			if err := sameIncarnation(st.CachedInfo(), incarnation); err == nil || !isGone(st.CachedInfo()) {
				return err
			}
			return cmp.Or(srv.js.DeleteStream(ctx, id.stream()), errGone)
		case err != nil:
			return err
		}
		if err := sameIncarnation(st.CachedInfo(), incarnation); err != nil {
			return err
		}
		return srv.placed(ctx, st.CachedInfo(), on)
	})
}

// errGone makes Create try again, after it has removed what is left of another log.
var errGone = errors.New("replication: the log that was there has lost everything, and was removed")

// isGone reports whether only the name of a log is left: it was in the memory of nodes that have all ended.
func isGone(info *jetstream.StreamInfo) bool {
	return info.Config.Storage == jetstream.MemoryStorage && info.State.LastSeq == 0
}

// Place moves a log of a cluster to the named nodes, which become its replicas one after the other. It returns once the
// cluster has begun; Replicas tells how far it is.
func (s *Store) Place(ctx context.Context, space string, partition int, on []string) error {
	id := logID{space, partition}
	if err := s.placeable(id, on); err != nil {
		return err
	}
	return s.insist(ctx, "place", id, func(ctx context.Context, srv *embedded) error {
		st, err := srv.js.Stream(ctx, id.stream())
		if err != nil {
			return err
		}
		return srv.placeAt(ctx, st.CachedInfo(), on)
	})
}

// Replica is a node that has a log, or is to have it.
type Replica struct {
	Node    string
	Leads   bool
	Current bool   // it has what the leader has
	Offline bool   // the leader does not reach it
	Lag     uint64 // messages that it lacks, or more
}

// Replicas returns the nodes that have a log, by name, as the leader of its group sees them. It returns ErrNoLog if
// there is no such log, and an error if there is no leader.
func (s *Store) Replicas(ctx context.Context, space string, partition int) ([]Replica, error) {
	id := logID{space, partition}
	srv, err := s.server()
	if err != nil {
		return nil, err
	}
	ctx, cancel := s.bound(ctx)
	defer cancel()
	st, err := srv.js.Stream(ctx, id.stream())
	if err != nil {
		return nil, fmt.Errorf("find replicas of log %v: %w", id, noLog(err))
	}
	return replicasOf(st.CachedInfo()), nil
}

func replicasOf(info *jetstream.StreamInfo) []Replica {
	c := info.Cluster
	if c == nil {
		return nil
	}
	var replicas []Replica
	if c.Leader != "" {
		replicas = append(replicas, Replica{Node: c.Leader, Leads: true, Current: true})
	}
	for _, p := range c.Replicas {
		replicas = append(replicas, Replica{Node: p.Name, Current: p.Current, Offline: p.Offline, Lag: p.Lag})
	}
	slices.SortFunc(replicas, func(a, b Replica) int {
		if a.Node < b.Node {
			return -1
		}
		return 1
	})
	return replicas
}

func noLog(err error) error {
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return ErrNoLog
	}
	return err
}

func sameIncarnation(info *jetstream.StreamInfo, incarnation string) error {
	if made := info.Config.Metadata[metaIncarnation]; made != incarnation {
		return fmt.Errorf("%w: incarnation %s", ErrIncarnation, made)
	}
	return nil
}

func (s *Store) sameStorage(info *jetstream.StreamInfo) error {
	if s.cfg.Cluster.Memory != (info.Config.Storage == jetstream.MemoryStorage) {
		return fmt.Errorf("%w: in %v storage", ErrStorage, info.Config.Storage)
	}
	return nil
}

// placeable returns what is wrong with the nodes for a log.
func (s *Store) placeable(id logID, on []string) error {
	errs := []error{id.valid()}
	if s.cfg.Cluster == nil {
		errs = append(errs, errors.New("replication: the store is not in a cluster: Log creates logs"))
	}
	if len(on) == 0 || len(on) > maxReplicas {
		errs = append(errs, fmt.Errorf("replication: log %v on %d nodes; it can be on 1 to %d", id, len(on), maxReplicas))
	}
	for i, node := range on {
		if !namesNode(node) {
			errs = append(errs, fmt.Errorf("%w: node %.80q of a log", ErrInvalidName, node))
		}
		if slices.Contains(on[:i], node) {
			errs = append(errs, fmt.Errorf("replication: log %v twice on node %s", id, node))
		}
	}
	return errors.Join(errs...)
}

// isFinal reports whether a request would fail again.
func isFinal(err error) bool {
	return errors.Is(err, ErrIncarnation) || errors.Is(err, ErrStorage) || errors.Is(err, ErrNoLog)
}

// insist repeats a request until it succeeds, or is bound to fail.
func (s *Store) insist(
	ctx context.Context, what string, id logID, request func(context.Context, *embedded) error,
) error {
	ctx, cancel := s.bound(ctx)
	defer cancel()
	for {
		srv, err := s.server()
		if err != nil {
			return err
		}
		once, cancel := context.WithTimeout(ctx, createTimeout)
		err = noLog(request(once, srv))
		cancel()
		if err == nil {
			return nil
		}
		if isFinal(err) || srv.isOutside() && hopeless(err) {
			return fmt.Errorf("%s log %v: %w", what, id, err)
		}
		s.cfg.Logger.Debug("log_request_failed", "request", what, "log", id.String(), "error", err)
		select {
		case <-time.After(createPause):
		case <-ctx.Done():
			return fmt.Errorf("%s log %v: %w, after %w", what, id, context.Cause(ctx), err)
		}
	}
}

// place places a log on the named nodes, by excluding all others that are known, and those given.
func (e *embedded) place(cfg *jetstream.StreamConfig, on, others []string) {
	cfg.Replicas = len(on)
	if e.isOutside() {
		return
	}
	not := map[string]bool{}
	for _, node := range slices.Concat(e.nodes(), e.cluster.names(), others) {
		if !slices.Contains(on, node) {
			not["!"+node] = true
		}
	}
	cfg.Placement = &jetstream.Placement{Cluster: e.cluster.Name, Tags: slices.Sorted(maps.Keys(not))}
}

// placed makes sure that a log is on the named nodes: a node that this one does not know is not excluded.
func (e *embedded) placed(ctx context.Context, info *jetstream.StreamInfo, on []string) error {
	for _, r := range replicasOf(info) {
		if !e.isOutside() && !slices.Contains(on, r.Node) {
			return e.placeAt(ctx, info, on)
		}
	}
	return nil
}

func (e *embedded) placeAt(ctx context.Context, info *jetstream.StreamInfo, on []string) error {
	var others []string
	for _, r := range replicasOf(info) {
		others = append(others, r.Node)
	}
	cfg := info.Config
	if e.isOutside() && cfg.Replicas == len(on) {
		return nil
	}
	e.place(&cfg, on, others)
	_, err := e.js.UpdateStream(ctx, cfg)
	return err
}
