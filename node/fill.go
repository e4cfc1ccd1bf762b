package node

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/replication"
	"github.com/gospaces/gospaces/txn"
)

// Spaces of a cluster are restored, or loaded, through their logs: before any replica is opened, one node claims the
// logs of the new spaces and appends the records with which they begin (engine.Seed). Then it hands the logs over to
// whichever nodes are to lead. All spaces are served at once, when all are filled. The State says from what a space is
// filled, and how far that is. So what is interrupted goes on when it is repeated: spaces that are complete stay, and
// the others, which nothing has served, begin anew.

// FillRequest begins a space that is filled by FillRecords. An empty space of that name is replaced; FillRequest is
// refused for one that has anything. The same node has to be asked until the space is filled.
type FillRequest struct {
	Space      string `json:"space"`
	Partitions int    `json:"partitions"`
	From       string `json:"from"` // identifies what it is filled with
}

// FillRecords appends records to the log of a partition. Number counts those of a partition from 1: a repeated request
// does nothing.
type FillRecords struct {
	Space     string       `json:"space"`
	Partition uint16       `json:"partition"`
	Number    uint64       `json:"number"`
	Clock     record.Clock `json:"clock"` // at which the entries were as the records say; zero: now
	Records   []byte       `json:"records"`
}

// SealRequest ends the filling of a space, whose logs have all records.
type SealRequest struct {
	Space string `json:"space"`
}

// FilledPart is a partition that was filled.
type FilledPart struct {
	Incarnation string `json:"incarnation"` // of the log
	Position    uint64 `json:"position"`    // of the last record
}

// FilledRequest ends what SealRequest has sealed: the space is complete.
type FilledRequest struct {
	Space string `json:"space"`
}

// SourceRequest is about spaces that are filled from a source.
type SourceRequest struct {
	From   string   `json:"from"`
	Spaces []string `json:"spaces,omitempty"`
}

// filling is a space that this node fills.
type filling struct {
	incarnation string

	mu    sync.Mutex // held while a step is taken
	parts []fillingPart
}

// fillingPart is a partition of it.
type fillingPart struct {
	log    *replication.Log // nil before the first records, and after the last
	number uint64           // of the last FillRecords
	clock  record.Clock     // that it told
	filled FilledPart
}

// fillings are the spaces that this node fills.
type fillings struct {
	mu     sync.Mutex
	byName map[string]*filling // guarded by mu
}

func (fs *fillings) get(space string) (*filling, error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if f := fs.byName[space]; f != nil {
		return f, nil
	}
	return nil, fmt.Errorf("%w: space %q is not being filled here; begin anew", call.ErrUnavailable, space)
}

// put replaces what fills a space; nil: it is not filled any more.
func (fs *fillings) put(space string, f *filling) {
	fs.mu.Lock()
	was := fs.byName[space]
	if fs.byName == nil {
		fs.byName = map[string]*filling{}
	}
	if fs.byName[space] = f; f == nil {
		delete(fs.byName, space)
	}
	fs.mu.Unlock()
	if was != nil {
		was.close()
	}
}

// close gives up all spaces that are being filled.
func (fs *fillings) close() {
	fs.mu.Lock()
	all := fs.byName
	fs.byName = nil
	fs.mu.Unlock()
	for _, f := range all {
		f.close()
	}
}

func (f *filling) close() {
	for i := range f.parts {
		if log := f.parts[i].log; log != nil {
			log.Close() // also ends an append that waits for a majority
		}
	}
}

// beginFill begins to fill a space.
func (f *fleet) beginFill(ctx context.Context, r *FillRequest) error {
	shape := call.Shape{Partitions: uint64(max(r.Partitions, 0))}
	if err := cmp.Or(validName(r.Space), validShape(shape), f.reserved(r.Space), f.empty(r.Space)); err != nil {
		return err
	}
	if r.From == "" {
		return fmt.Errorf("%w: what space %q is filled with is not named", call.ErrInvalidArgument, r.Space)
	}
	partitions := max(r.Partitions, 1)
	f.fillings.put(r.Space, nil)
	incarnation, err := f.member.FillSpace(ctx, r.Space, r.From, partitions, f.cfg.Cluster.Replicas)
	if err != nil {
		return err
	}
	f.fillings.put(r.Space, &filling{incarnation: incarnation, parts: make([]fillingPart, partitions)})
	return nil
}

// reserved returns call.ErrInvalidArgument for a name that no space of a cluster can have.
func (f *fleet) reserved(name string) error {
	if strings.HasPrefix(name, "_") {
		return fmt.Errorf("%w: space %q: names that begin with '_' are those of the cluster itself", call.ErrInvalidArgument,
			name)
	}
	return nil
}

// empty returns call.ErrInvalidArgument for a space that has entries, as far as the replicas on this node tell.
func (f *fleet) empty(space string) error {
	for at, s := range f.all() {
		if n := s.partition.Stats().Entries; at.Space == space && n > 0 {
			return fmt.Errorf("%w: space %q is not empty: entries in partition %d: %d; "+
				"drop it first, or take what it has", call.ErrInvalidArgument, space, at.Partition, n)
		}
	}
	return nil
}

// fill appends records.
func (f *fleet) fill(ctx context.Context, r *FillRecords) error {
	filling, err := f.fillings.get(r.Space)
	if err != nil {
		return err
	}
	filling.mu.Lock()
	defer filling.mu.Unlock()
	if int(r.Partition) >= len(filling.parts) {
		return fmt.Errorf("%w: space %q has no partition %d", call.ErrInvalidArgument, r.Space, r.Partition)
	}
	p := &filling.parts[r.Partition]
	switch {
	case r.Number <= p.number:
		return nil
	case r.Number != p.number+1:
		return fmt.Errorf("%w: records %d of partition %d come after %d", call.ErrInvalidArgument, r.Number, r.Partition,
			p.number)
	}
	clock := clockNow(r.Clock)
	if p.log == nil {
		if p.log, err = f.claimEmpty(ctx, txn.Address{Space: r.Space, Partition: r.Partition}, clock); err != nil {
			return err
		}
	}
	stop := context.AfterFunc(ctx, p.log.Close) // an append waits for a majority
	defer stop()
	msg := make([]byte, record.HeaderSize, record.HeaderSize+len(r.Records))
	record.SetClock(msg, clock)
	if err := p.log.Append(append(msg, r.Records...)); err != nil {
		return err
	}
	p.number, p.clock = r.Number, r.Clock
	return nil
}

// clockNow returns what a clock shows now that was as told; the zero value stands for a clock that shows the time.
func clockNow(told record.Clock) record.Clock {
	now := time.Now().UnixNano()
	if told == (record.Clock{}) {
		return record.Clock{Space: now, Wall: now}
	}
	return record.Clock{Space: told.Space + max(0, now-told.Wall), Wall: now}
}

// claimEmpty opens a log that has nothing, and claims it.
func (f *fleet) claimEmpty(ctx context.Context, at txn.Address, clock record.Clock) (*replication.Log, error) {
	log, err := f.store.Log(ctx, at.Space, int(at.Partition))
	if err != nil {
		return nil, err
	}
	end, err := log.CatchUp(ctx, 0, func(record.Group) error { return nil }, nil)
	if err == nil && end > 0 {
		err = fmt.Errorf("%w: the log of partition %v has begun", call.ErrUnavailable, at)
	}
	if err == nil {
		_, err = log.Claim(ctx, 0, clock)
	}
	if err != nil {
		log.Close()
		return nil, err
	}
	return log, nil
}

// seal hands the logs of a space over.
func (f *fleet) seal(r *SealRequest) (parts []FilledPart, err error) {
	filling, err := f.fillings.get(r.Space)
	if err != nil {
		return nil, err
	}
	state, _ := f.member.State()
	filling.mu.Lock()
	defer filling.mu.Unlock()
	for i := range filling.parts {
		p := &filling.parts[i]
		switch {
		case p.number == 0:
			return nil, fmt.Errorf("%w: partition %d of space %q has no records", call.ErrInvalidArgument, i, r.Space)
		case p.log != nil:
			if err := p.seal(state.Highest); err != nil {
				return nil, err
			}
		}
		parts = append(parts, p.filled)
	}
	return parts, nil
}

// seal ends the records of a partition. Its new identities are none that were given out after it was as they say, or
// by a space that was dropped, the highest of which is told.
func (p *fillingPart) seal(highest uint64) error {
	clock := clockNow(p.clock)
	msg := make([]byte, record.HeaderSize)
	record.SetClock(msg, clock)
	msg = record.AppendLost(record.AppendID(msg, record.Origin, max(highest, record.OriginAt(clock.Wall))))
	if err := p.log.Append(msg); err != nil {
		return err
	}
	p.filled = FilledPart{p.log.Incarnation(), p.log.Last()}
	if err := p.log.Resign("", clockNow(p.clock)); err != nil {
		return err
	}
	p.log.Close()
	p.log = nil
	return nil
}

// endFill records that a space is filled.
func (f *fleet) endFill(ctx context.Context, r *FilledRequest) error {
	filling, err := f.fillings.get(r.Space)
	if err != nil {
		return err
	}
	return f.member.SpaceFilled(ctx, r.Space, filling.incarnation)
}
