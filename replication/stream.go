package replication

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Spaces returns the spaces that have logs, or of which the folder remembers one, with the sorted numbers of these
// partitions.
func (s *Store) Spaces(ctx context.Context) (map[string][]int, error) {
	srv, err := s.server()
	if err != nil {
		return nil, err
	}
	ctx, cancel := s.bound(ctx)
	defer cancel()
	var ids []logID
	if s.cfg.Cluster == nil {
		if ids, err = s.remembered(); err != nil {
			return nil, err
		}
	}
	ids = append(ids, srv.refused.all()...)
	list := srv.js.ListStreams(ctx)
	for info := range list.Info() {
		if id, ok := streamID(info.Config.Name); ok && info.Config.Metadata[metaSpace] != "" {
			ids = append(ids, id)
		}
	}
	if err := list.Err(); err != nil {
		return nil, fmt.Errorf("list logs: %w", err)
	}
	spaces := map[string][]int{}
	for _, id := range ids {
		spaces[id.space] = append(spaces[id.space], id.partition)
	}
	for name, partitions := range spaces {
		slices.Sort(partitions)
		spaces[name] = slices.Compact(partitions)
	}
	return spaces, nil
}

// Log returns the log of a partition, and creates it if it does not exist. In a cluster it creates none: it returns
// ErrNoLog, and waits for a log of other nodes until one of them serves it. Each partition has one Log: later calls
// return the same. It returns ErrLost or ErrDamaged for a log that has lost something acknowledged, and leaves its
// files unchanged.
func (s *Store) Log(ctx context.Context, space string, partition int) (*Log, error) {
	id := logID{space, partition}
	if err := id.valid(); err != nil {
		return nil, err
	}
	s.opening.Lock()
	defer s.opening.Unlock()
	if l := s.logs[id]; l != nil {
		return l, nil
	}
	open := s.open
	if s.cfg.Cluster != nil {
		open = s.openShared
	}
	l, err := open(ctx, id)
	if err != nil {
		return nil, err
	}
	s.logs[id] = l
	return l, nil
}

// open returns a log that is not open yet.
func (s *Store) open(ctx context.Context, id logID) (*Log, error) {
	srv, err := s.server()
	if err != nil {
		return nil, err
	}
	if err := srv.refused.of(id); err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	if err := s.endDrop(ctx, srv, id); err != nil {
		return nil, fmt.Errorf("open log %v: %w", id, err)
	}
	info, err := s.stream(ctx, srv, id)
	if err != nil {
		return nil, fmt.Errorf("open log %v: %w", id, err)
	}
	l := newAlone(s, id, info)
	if err := l.findLoss(ctx); err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return l.Log, nil
}

// Replica returns another view of the log of a partition that exists, with a name of its own to claim it, as another
// process of a cluster has it. It learns of the others from the log, and follows them if Config.Followers is set. It is
// closed with the store.
func (s *Store) Replica(ctx context.Context, space string, partition int, name string) (*Log, error) {
	if s.cfg.Cluster != nil {
		return nil, errCluster
	}
	first, err := s.Log(ctx, space, partition)
	if err != nil {
		return nil, err
	}
	srv, err := s.server()
	if err != nil {
		return nil, err
	}
	s.opening.Lock()
	defer s.opening.Unlock()
	info, err := s.stream(ctx, srv, first.id)
	if err != nil {
		return nil, fmt.Errorf("open replica of log %v: %w", first.id, err)
	}
	l := newAlone(s, first.id, info)
	l.name, l.incarnation = name, first.Incarnation()
	s.replicas = append(s.replicas, l.Log)
	return l.Log, nil
}

// Names of a stream's metadata. They are on disk.
const (
	metaSpace       = "gospaces-space"
	metaPartition   = "gospaces-partition"
	metaIncarnation = "gospaces-incarnation"
	metaCluster     = "gospaces-cluster" // only with Cluster.NATS
)

// stream opens or creates the stream of a log.
func (s *Store) stream(ctx context.Context, srv *embedded, id logID) (*jetstream.StreamInfo, error) {
	ctx, cancel := s.bound(ctx)
	defer cancel()
	st, err := srv.js.Stream(ctx, id.stream())
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		st, err = s.makeStream(ctx, srv, id)
	}
	if err != nil {
		return nil, err
	}
	cfg := st.CachedInfo().Config
	meta := cfg.Metadata
	if meta[metaSpace] != id.space || meta[metaPartition] != strconv.Itoa(id.partition) || meta[metaIncarnation] == "" {
		return nil, fmt.Errorf("%w: stream %s was not made by this program", ErrFailed, cfg.Name)
	}
	want := streamConfig(id, "", s.cfg)
	if cfg.MaxBytes != want.MaxBytes || (cfg.RePublish == nil) != (want.RePublish == nil) {
		cfg.MaxBytes, cfg.RePublish = want.MaxBytes, want.RePublish
		if st, err = srv.js.UpdateStream(ctx, cfg); err != nil {
			return nil, err
		}
	}
	return st.CachedInfo(), nil
}

// makeStream creates the stream of a log of which the folder remembers nothing, or one to replace a lost stream.
func (s *Store) makeStream(ctx context.Context, srv *embedded, id logID) (jetstream.Stream, error) {
	if !s.cfg.AcceptLoss {
		if err := s.forgotten(id); err != nil {
			return nil, err
		}
	}
	return srv.js.CreateStream(ctx, streamConfig(id, newIncarnation(), s.cfg))
}

func newIncarnation() string { return rand.Text() }

func streamConfig(id logID, incarnation string, cfg Config) jetstream.StreamConfig {
	sc := jetstream.StreamConfig{
		Name:     id.stream(),
		Subjects: []string{id.subject()},
		Metadata: map[string]string{
			metaSpace:       id.space,
			metaPartition:   strconv.Itoa(id.partition),
			metaIncarnation: incarnation,
		},
		Storage:    jetstream.FileStorage,
		Replicas:   1,
		Discard:    jetstream.DiscardNew, // a full log refuses; it never forgets what was acknowledged
		MaxBytes:   cmp.Or(cfg.MaxBytes, -1),
		DenyDelete: true,

		AllowDirect: true,                   // for fetcher
		Duplicates:  100 * time.Millisecond, // the minimum; messages without an id, like ours, never count as duplicates
	}
	if cfg.Cluster != nil && cfg.Cluster.NATS != nil {
		sc.Metadata[metaCluster] = cfg.Cluster.Name
	}
	if cfg.Cluster != nil && cfg.Cluster.Memory {
		sc.Storage = jetstream.MemoryStorage
	}
	if cfg.Followers {
		sc.RePublish = &jetstream.RePublish{Source: id.subject(), Destination: id.tail()}
	}
	return sc
}
