package replication

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// Nodes hand over snapshots piece by piece, and each piece is asked for: the sender keeps nothing about a transfer, and
// a transfer goes on where it ended, after a restart too.

const (
	// pieceBytes is the maximum of one piece, and pieceTimeout how long it may take.
	pieceBytes, pieceTimeout = 256 << 10, 5 * time.Second

	// offerTimeout is how long offers are waited for.
	offerTimeout = 500 * time.Millisecond

	// pieceSum is the size of the checksum before a piece.
	pieceSum = 4

	// fetchedSnapshot begins the name of a file that is being fetched.
	fetchedSnapshot = ".fetch-"
)

// offer is a snapshot that a node has.
type offer struct {
	Node     string `json:"node"`
	Position uint64 `json:"position"`
	Created  int64  `json:"created"` // nanoseconds since the Unix epoch; with the rest it identifies the file
	Size     int64  `json:"size"`
}

// pieceOf asks a node for a piece of what it has offered.
type pieceOf struct {
	Space     string `json:"space"`
	Partition int    `json:"partition"`
	offer
	From int64 `json:"from"`
}

const (
	offersSubject = "gs.snapshots."
	piecesSubject = "gs.pieces."
)

// serveSnapshots answers other nodes that ask for snapshots, as long as the connection lasts.
func (s *Store) serveSnapshots(nc *nats.Conn) error {
	_, err := nc.Subscribe(offersSubject+"*.*", func(m *nats.Msg) {
		if o, ok := s.folder.offer(strings.TrimPrefix(m.Subject, offersSubject), s.Node()); ok {
			respond(m, o)
		}
	})
	if err != nil {
		return err
	}
	_, err = nc.Subscribe(piecesSubject+s.Node(), func(m *nats.Msg) {
		var p pieceOf
		if json.Unmarshal(m.Data, &p) != nil {
			return
		}
		b, err := s.folder.piece(p)
		if err != nil {
			b = nil // the other asks what there is now
		}
		_ = m.Respond(b) // the other asks again
	})
	return err
}

func respond(m *nats.Msg, v any) {
	if b, err := json.Marshal(v); err == nil {
		_ = m.Respond(b)
	}
}

// offer returns the newest snapshot of a log, which is named as in subjects.
func (f *folder) offer(name, node string) (offer, bool) {
	space, number, _ := strings.Cut(name, ".")
	partition, err := strconv.Atoi(number)
	id := logID{space, partition}
	if err != nil || id.valid() != nil {
		return offer{}, false
	}
	positions, err := f.snapshots(id)
	if err != nil || len(positions) == 0 {
		return offer{}, false
	}
	file, err := os.Open(f.snapshotPath(id, positions[0]))
	if err != nil {
		return offer{}, false
	}
	defer file.Close()
	info, err := file.Stat()
	h, unreadable := newBlockReader(file).header()
	return offer{Node: node, Position: positions[0], Created: h.Created.UnixNano(), Size: info.Size()},
		err == nil && unreadable == nil
}

// piece returns a piece of a snapshot, after its checksum.
func (f *folder) piece(p pieceOf) ([]byte, error) {
	id := logID{p.Space, p.Partition}
	if err := id.valid(); err != nil {
		return nil, err
	}
	file, err := os.Open(f.snapshotPath(id, p.Position))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || info.Size() != p.Size || p.From < 0 || p.From >= p.Size {
		return nil, errors.Join(err, os.ErrNotExist)
	}
	b := make([]byte, pieceSum+min(pieceBytes, p.Size-p.From))
	if _, err := file.ReadAt(b[pieceSum:], p.From); err != nil {
		return nil, err
	}
	binary.LittleEndian.PutUint32(b, crc32.Checksum(b[pieceSum:], castagnoli))
	return b, nil
}

// fetchSnapshot fetches the newest snapshot of a position or a later one that another node has, except those that were
// useless.
func (l *shared) fetchSnapshot(ctx context.Context, least uint64, useless map[offer]bool) error {
	best, err := l.bestOffer(ctx, least, useless)
	if err != nil {
		return err
	}
	if best == (offer{}) {
		return fmt.Errorf("%w: the log begins at %d, and no node that is there has a snapshot of %d or later",
			ErrPosition, least+1, least)
	}
	useless[best] = true // once it is here it is not fetched again
	began := time.Now()
	if err := l.fetchOffer(ctx, best); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		l.store.cfg.Logger.Warn("snapshot_not_fetched", "log", l.id.String(), "node", best.Node,
			"position", best.Position, "error", err)
		return nil // another, perhaps
	}
	l.store.cfg.Logger.Info("snapshot_fetched", "log", l.id.String(), "node", best.Node, "position", best.Position,
		"bytes", best.Size, "took", time.Since(began))
	return nil
}

// bestOffer asks all nodes, and returns the newest snapshot that one of them has; the zero value if there is none.
func (l *shared) bestOffer(ctx context.Context, least uint64, useless map[offer]bool) (best offer, err error) {
	nc := l.srv.nc
	answers, err := nc.SubscribeSync(nc.NewInbox())
	if err != nil {
		return best, failedOr(ctx, err)
	}
	defer func() { _ = answers.Unsubscribe() }()
	subject := offersSubject + l.id.space + "." + strconv.Itoa(l.id.partition)
	if err := nc.PublishRequest(subject, answers.Subject, nil); err != nil {
		return best, failedOr(ctx, err)
	}
	until, cancel := context.WithTimeout(ctx, offerTimeout)
	defer cancel()
	for {
		m, err := answers.NextMsgWithContext(until)
		if err != nil {
			return best, context.Cause(ctx)
		}
		var o offer
		if json.Unmarshal(m.Data, &o) != nil || o.Node == l.name || o.Position < least || useless[o] {
			continue
		}
		if cmp.Or(cmp.Compare(o.Position, best.Position), cmp.Compare(o.Size, best.Size)) > 0 {
			best = o
		}
	}
}

// fetchOffer fetches a snapshot, from where an earlier attempt ended.
func (l *shared) fetchOffer(ctx context.Context, o offer) error {
	if err := os.MkdirAll(l.SnapshotDir(), 0o750); err != nil {
		return err
	}
	path := filepath.Join(l.SnapshotDir(), fmt.Sprintf("%s%d-%s-%d", fetchedSnapshot, o.Position, o.Node, o.Created))
	if err := l.removeFetched(path); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		return err
	}
	err = l.fill(ctx, f, o)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if h, err := readSnapshotFile(path, nil); err != nil || h.Position != o.Position {
		return errors.Join(err, ErrBadSnapshot, os.Remove(path))
	}
	if err := os.Rename(path, l.snapshotPath(o.Position)); err != nil {
		return err
	}
	l.recount(o.Position)
	return l.store.syncSnapshots(l.id)
}

// removeFetched removes the parts of other snapshots than the one that is fetched to a path.
func (l *shared) removeFetched(path string) error {
	others, err := filepath.Glob(filepath.Join(l.SnapshotDir(), fetchedSnapshot+"*"))
	for _, other := range others {
		if other != path {
			err = errors.Join(err, os.Remove(other))
		}
	}
	return err
}

// fill completes a file with the missing bytes of an offered snapshot.
func (l *shared) fill(ctx context.Context, f *os.File, o offer) error {
	at, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	to := &paced{file: f, written: at, begun: at, stored: at}
	for at < o.Size {
		b, err := l.fetchPiece(ctx, o, at)
		if err != nil {
			return err
		}
		if err := l.store.disk.admit(len(b)); err != nil {
			return err
		}
		if _, err := to.Write(b); err != nil {
			return err
		}
		at += int64(len(b))
	}
	return nil
}

// fetchPiece fetches the bytes of a snapshot from an offset on.
func (l *shared) fetchPiece(ctx context.Context, o offer, from int64) ([]byte, error) {
	request, err := json.Marshal(pieceOf{Space: l.id.space, Partition: l.id.partition, offer: o, From: from})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, pieceTimeout)
	defer cancel()
	m, err := l.srv.nc.RequestWithContext(ctx, piecesSubject+o.Node, request)
	if err != nil {
		return nil, err
	}
	if len(m.Data) <= pieceSum {
		return nil, fmt.Errorf("%w: node %s does not have it any more", ErrBadSnapshot, o.Node)
	}
	b := m.Data[pieceSum:]
	if crc32.Checksum(b, castagnoli) != binary.LittleEndian.Uint32(m.Data) {
		return nil, fmt.Errorf("%w: a piece was damaged on its way", ErrBadSnapshot)
	}
	return b, nil
}
