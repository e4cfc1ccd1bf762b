package txn_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/gospaces/gospaces/txn"
)

var (
	errCrashed = errors.New("the process is dead")
	errLost    = errors.New("the log failed")
	errEnded   = errors.New("the transaction has ended")
)

// world is a process with partitions whose logs survive it. It counts the steps of all partitions, and injects one
// fault at one of them.
type world struct {
	mu    sync.Mutex
	all   []txn.Address
	parts map[txn.Address]*fake
	coord *txn.Coordinator

	hidden []txn.Address // that are not here for now

	steps  int
	fault  fault
	at     int // the step of the fault
	dead   bool
	late   func() error
	broken []txn.Address // partitions without memory, while they are rebuilt
}

// fault is the fault at a step.
type fault int

const (
	none         fault = iota
	crashBefore        // the process dies before the step
	crashAfter         // the process dies once the step is in the log
	failBefore         // the log of the step's space fails and stores nothing
	failAfter          // the log of the step's space fails after storing
	refuseBefore       // the step's call is refused once
	loseAnswer         // the step is taken, and its answer is lost
	twice              // the step is taken twice
	late               // the step's call is refused, and taken after all others
)

// fake is one partition: the content of its log, and its memory.
type fake struct {
	w  *world
	at txn.Address

	applied   map[txn.ID]int           // in the log: effects, and how many times they were applied
	prepared  map[txn.ID]bool          // in the log
	decisions map[uint64][]txn.Address // in the log

	active   map[uint64][]txn.Branch // transactions whose home is here, and their participants
	branches map[txn.ID]*branch      // not prepared
	made     uint64                  // number of branches
}

// branch is an unprepared branch.
type branch struct {
	txn.Incarnation
	changed bool
}

func newWorld(t *testing.T, f fault, at int, all ...txn.Address) *world {
	w := &world{all: all, parts: map[txn.Address]*fake{}, fault: f, at: at}
	for _, a := range all {
		w.parts[a] = &fake{
			w: w, at: a, applied: map[txn.ID]int{}, prepared: map[txn.ID]bool{}, decisions: map[uint64][]txn.Address{},
			active: map[uint64][]txn.Branch{}, branches: map[txn.ID]*branch{},
		}
	}
	w.coord = txn.NewCoordinator(w, nil)
	t.Cleanup(func() { w.coord.Close() })
	return w
}

func (w *world) At(a txn.Address) txn.Partition {
	if s := w.parts[a]; s != nil {
		return s
	}
	return nil
}

func (w *world) Here(a txn.Address) txn.Local {
	if s := w.parts[a]; s != nil {
		return s
	}
	return nil
}

func (w *world) All() []txn.Address { return w.all }

func (w *world) Gone(_ context.Context, a txn.Address) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.parts[a] == nil && !slices.Contains(w.hidden, a)
}

// restart restarts the process, without further faults.
func (w *world) restart(ctx context.Context) {
	w.coord.Close()
	w.mu.Lock()
	w.dead, w.fault, w.broken = false, none, nil
	for _, s := range w.parts {
		s.forgetMemory()
	}
	w.mu.Unlock()
	w.coord = txn.NewCoordinator(w, nil)
	w.coord.Start(ctx)
}

// repair rebuilds the partitions whose logs have failed.
func (w *world) repair() {
	w.mu.Lock()
	broken := w.broken
	w.broken = nil
	w.mu.Unlock()
	for _, a := range broken {
		w.coord.Recovered(a)
	}
}

// comeLate takes the step that was delayed, if any.
func (w *world) comeLate() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.late != nil {
		_ = w.late()
	}
}

func (s *fake) forgetMemory() {
	clear(s.active)
	clear(s.branches)
}

// do takes one step: act reaches the log unless a fault prevents it, and then the space answers.
func (s *fake) do(ctx context.Context, act func() error) error { return s.take(ctx, act, true) }

// take is do for a step that travels to the space, or not: then no message can be lost.
func (s *fake) take(ctx context.Context, act func() error, travels bool) error {
	w := s.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := s.usable(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	w.steps++
	if w.steps != w.at || w.fault >= loseAnswer && !travels {
		return act()
	}
	if w.fault == crashAfter || w.fault == failAfter {
		_ = act()
	}
	switch w.fault {
	case crashBefore, crashAfter:
		w.dead = true
		return errCrashed
	case failBefore, failAfter:
		w.broken = append(w.broken, s.at)
		s.forgetMemory()
		return errLost
	case refuseBefore:
		return errLost
	case loseAnswer:
		_ = act()
		return errLost
	case twice:
		_ = act()
	case late:
		w.late = act
		return errLost
	case none:
	}
	return act()
}

func (s *fake) usable() error {
	switch {
	case s.w.dead:
		return errCrashed
	case slices.Contains(s.w.broken, s.at):
		return errLost
	}
	return nil
}

// memory takes a step that needs no log.
func (s *fake) memory(act func() error) error {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	if err := s.usable(); err != nil {
		return err
	}
	return act()
}

func (s *fake) Enlist(number uint64, b txn.Branch) error {
	return s.memory(func() error {
		if _, ok := s.active[number]; !ok {
			return errEnded
		}
		for _, had := range s.active[number] {
			switch {
			case had == b:
				return nil
			case had.At == b.At:
				s.dissolve(number)
				return errEnded
			}
		}
		s.active[number] = append(s.active[number], b)
		return nil
	})
}

// dissolve aborts a transaction and tells the coordinator.
func (s *fake) dissolve(number uint64) {
	s.w.coord.Dissolved(s.at, txn.Decision{Number: number, Participants: txn.Addresses(s.active[number])})
	delete(s.active, number)
}

func (s *fake) Participants(number uint64) (bs []txn.Branch) {
	_ = s.memory(func() error { bs = slices.Clone(s.active[number]); return nil })
	return bs
}

func (s *fake) Alive(number uint64) (alive bool) {
	_ = s.memory(func() error { _, alive = s.active[number]; return nil })
	return alive
}

func (s *fake) Drop(id txn.ID) {
	_ = s.memory(func() error { delete(s.branches, id); return nil })
}

func (s *fake) Dissolve(ctx context.Context, number uint64) error {
	return s.do(ctx, func() error {
		if _, ok := s.active[number]; !ok {
			return errEnded
		}
		s.dissolve(number)
		return nil
	})
}

func (s *fake) Outcome(ctx context.Context, number uint64) (o txn.Outcome, err error) {
	err = s.do(ctx, func() error {
		if _, ok := s.active[number]; ok {
			o = txn.Active
		}
		if _, ok := s.decisions[number]; ok {
			o = txn.Committed
		}
		return nil
	})
	return o, err
}

func (s *fake) Decided(ctx context.Context, number uint64) (bool, error) {
	o, err := s.Outcome(ctx, number)
	return o == txn.Committed, err
}

func (s *fake) Forget(ctx context.Context, number uint64) error {
	return s.take(ctx, func() error { delete(s.decisions, number); return nil }, false)
}

func (s *fake) Decisions() (ds []txn.Decision) {
	_ = s.memory(func() error {
		for _, n := range slices.Sorted(maps.Keys(s.decisions)) {
			ds = append(ds, txn.Decision{Number: n, Participants: s.decisions[n]})
		}
		return nil
	})
	return ds
}

func (s *fake) HasBranch(id txn.ID) (has bool) {
	_ = s.memory(func() error {
		_, active := s.branches[id]
		has = active || s.prepared[id]
		return nil
	})
	return has
}

func (s *fake) Join(id txn.ID) (made txn.Incarnation, err error) {
	err = s.memory(func() error {
		if s.branches[id] == nil {
			s.made++
			s.branches[id] = &branch{Incarnation: txn.Incarnation{Number: s.made}}
		}
		made = s.branches[id].Incarnation
		return nil
	})
	return made, err
}

func (s *fake) Prepare(ctx context.Context, id txn.ID, of txn.Incarnation) (prepared bool, err error) {
	err = s.do(ctx, func() error {
		b := s.branches[id]
		switch {
		case s.prepared[id]:
			prepared = true
			return nil
		case b == nil || b.Incarnation != of:
			return errEnded
		}
		delete(s.branches, id)
		if prepared = b.changed; prepared {
			s.prepared[id] = true
		}
		return nil
	})
	return prepared, err
}

func (s *fake) Commit(ctx context.Context, id txn.ID) error {
	return s.do(ctx, func() error {
		if s.prepared[id] {
			delete(s.prepared, id)
			s.applied[id]++
		}
		return nil
	})
}

func (s *fake) Abort(ctx context.Context, id txn.ID) error {
	return s.do(ctx, func() error {
		delete(s.prepared, id)
		delete(s.branches, id)
		return nil
	})
}

func (s *fake) Prepared() (ids []txn.ID) {
	_ = s.memory(func() error { ids = slices.Collect(maps.Keys(s.prepared)); return nil })
	return ids
}

func (s *fake) Branches() (ids []txn.ID) {
	_ = s.memory(func() error {
		ids = slices.Concat(slices.Collect(maps.Keys(s.prepared)), slices.Collect(maps.Keys(s.branches)))
		return nil
	})
	return ids
}

// begin begins a transaction.
func (s *fake) begin(number uint64) {
	_ = s.memory(func() error { s.active[number] = []txn.Branch{}; return nil })
}

// use changes something under a transaction that has its branch here.
func (s *fake) use(id txn.ID) error {
	return s.memory(func() error {
		if s.branches[id] == nil {
			return errEnded
		}
		s.branches[id].changed = true
		return nil
	})
}

// undo undoes the changes of a branch.
func (s *fake) undo(id txn.ID) error {
	return s.memory(func() error {
		if s.branches[id] == nil {
			return errEnded
		}
		s.branches[id].changed = false
		return nil
	})
}

// decide commits a transaction at home, with one effect.
func (s *fake) decide(number uint64) txn.Decide {
	return func(ctx context.Context, branches []txn.Address) error {
		return s.take(ctx, func() error {
			if _, ok := s.active[number]; !ok {
				return errEnded
			}
			delete(s.active, number)
			s.applied[txn.ID{Space: s.at.Space, Number: number}]++
			if len(branches) > 0 {
				s.decisions[number] = branches
			}
			return nil
		}, false)
	}
}
