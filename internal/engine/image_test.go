package engine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/txn"
)

// busy is an engine that undergoes random operations of every kind that an image must show.
type busy struct {
	t       *testing.T
	r       *rand.Rand
	e       *Engine
	now     int64
	ids     []uint64
	txns    []txn.ID
	taken   map[txn.ID]uint64
	session uint64
	calls   uint64
}

func newBusy(t *testing.T, seed uint64) *busy {
	b := &busy{t: t, r: rand.New(rand.NewPCG(seed, 5)), e: New(Config{}, 0), now: 1, taken: map[txn.ID]uint64{}}
	require.NoError(t, b.e.Register(b.now, job).Err)
	b.session, _ = b.e.OpenSession(call.Client{1}, 0)
	return b
}

func (b *busy) by() call.Request {
	b.calls++
	return call.Request{Session: b.session, Number: b.calls}
}

func (b *busy) pick() uint64 {
	if len(b.ids) == 0 {
		return 1
	}
	return b.ids[b.r.IntN(len(b.ids))]
}

// under returns an open transaction, or none.
func (b *busy) under() txn.ID {
	if len(b.txns) == 0 || b.r.IntN(2) == 0 {
		return txn.ID{}
	}
	return b.txns[b.r.IntN(len(b.txns))]
}

func (b *busy) step() {
	b.now += int64(b.r.IntN(1 << (tickShift + 1)))
	e, under := b.e, b.under()
	by := call.Request{}
	if under.IsZero() {
		by = b.by()
	}
	switch b.r.IntN(18) {
	case 0, 1, 2, 3:
		d := call.Draft{Kind: jobKind, Row: appendJob(nil, b.r.IntN(5)), Lease: call.Forever}
		if b.r.IntN(4) == 0 {
			d.Lease = int64(b.r.IntN(100) << tickShift)
		}
		if b.r.IntN(4) == 0 {
			d.Delay = int64(b.r.IntN(50) << tickShift)
		}
		for _, g := range e.Write(b.now, under, by, []call.Draft{d}).Grants {
			b.ids = append(b.ids, g.ID)
		}
	case 4, 5:
		q := byKey(b.r.IntN(5), b.r.IntN(3) > 0)
		q.Txn, q.By = under, by
		if r := e.Find(b.now, q); r.Err == nil && !under.IsZero() && q.Take {
			b.taken[under] = r.Entries[0].ID
		}
	case 6:
		e.Update(b.now, under, by, call.Change{ID: b.pick(), Row: appendJob(nil, b.r.IntN(5))})
	case 7:
		e.Renew(b.now, by, int64(b.r.IntN(100)<<tickShift), []uint64{b.pick()})
	case 8:
		e.Cancel(b.now, by, []uint64{b.pick()})
	case 9:
		if b.r.IntN(2) == 0 {
			lease := int64(call.Forever)
			if b.r.IntN(2) == 0 {
				lease = int64(1+b.r.IntN(50)) << tickShift
			}
			b.txns = append(b.txns, txn.ID{Number: e.Begin(b.now, lease, b.by(), "busy").Grants[0].ID})
		} else {
			id := txn.ID{Space: "home", Number: uint64(b.now)}
			e.Join(b.now, id)
			b.txns = append(b.txns, id)
		}
	case 10, 11:
		b.end(under)
	case 12:
		e.Notify(b.now, byKey(b.r.IntN(5), false), call.EventSet(b.r.IntN(1<<10)), int64(b.r.IntN(100)<<tickShift))
	case 13:
		if b.r.IntN(20) == 0 {
			e.Received(b.now, b.session, e.LSN()-uint64(b.r.IntN(3)))
		}
	case 14:
		q := byKey(b.r.IntN(5), true)
		q.Begin, q.Lease, q.By, q.Max = true, int64(1+b.r.IntN(100))<<tickShift, b.by(), 1+b.r.IntN(4)
		if r := e.Find(b.now, q); r.Err == nil {
			id := txn.ID{Number: r.Grants[0].ID}
			b.txns, b.taken[id] = append(b.txns, id), r.Entries[0].ID
		}
	case 15:
		if !under.IsZero() {
			e.Rollback(b.now, under, []uint64{b.taken[under]})
		}
	case 16:
		if under.Space == "" {
			e.Renew(b.now, b.by(), int64(1+b.r.IntN(100))<<tickShift, []uint64{under.Number})
		}
	case 17:
		b.change(under)
	}
}

// change changes sessions, registrations, and the holders of entries, which change rarely.
func (b *busy) change(under txn.ID) {
	switch e := b.e; b.r.IntN(4) {
	case 0:
		e.Lose(b.now, under.Number)
	case 1:
		b.session, _ = e.OpenSession(call.Client{byte(b.r.IntN(6))}, 0)
	case 2:
		if b.r.IntN(4) == 0 {
			e.EndSession(b.now, b.session, b.r.IntN(2) == 0)
			b.session, _ = e.OpenSession(call.Client{1}, 0)
		}
	case 3:
		for id := range e.Registrations() {
			b.ids = append(b.ids, id)
		}
		slices.Sort(b.ids)
		b.ids = slices.Compact(b.ids)
	}
}

// end ends a transaction, sooner or later.
func (b *busy) end(id txn.ID) {
	switch b.r.IntN(5) {
	case 0:
		b.e.Commit(b.now, id, call.Request{}, nil)
	case 1:
		b.e.Abort(b.now, id)
	case 2:
		b.e.Defer(b.now, id, b.taken[id], int64(b.r.IntN(50)<<tickShift))
	case 3:
		if id.Space != "" {
			b.e.Prepare(b.now, id, b.e.branches[id])
		}
	case 4:
		if !id.IsZero() && id.Space == "" {
			b.e.Decide(b.now, id, call.Request{}, nil, []txn.Address{{Space: "a"}, {Space: "b", Partition: 3}})
		}
	}
}

// An image that is drawn while the state changes shows the state of the moment at which it began.
func TestImage_ShowsOneMoment(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			b := newBusy(t, seed)
			for range 4 {
				for range 300 {
					b.step()
				}
				log := len(b.e.Log)
				want, shown := b.e.Hash(), dump(b.e)
				require.Equal(t, shown, dump(applied(t, b.e.Log)), "the log tells the state")
				require.Equal(t, want, applied(t, b.e.Log).Hash())
				m := b.e.BeginImage()
				var image []byte
				for done := false; !done; {
					image, done = m.Draw(image, 1+b.r.IntN(30))
					for range b.r.IntN(20) {
						b.step()
					}
				}
				m.Close()
				e, replica := loaded(t, image), applied(t, b.e.Log[:log])
				require.Equal(t, shown, dump(e))
				require.Equal(t, want, e.Hash())
				require.Equal(t, checksum(t, image), checksum(t, drawn(e)), "of another order of the records")
				require.Equal(t, checksum(t, image), checksum(t, drawn(replica)), "of a replica")
				require.NoError(t, e.Apply(b.e.Log[log:]), "what follows in the log fits")
				require.Equal(t, dump(b.e), dump(e))
				require.Equal(t, b.e.Hash(), e.Hash())
			}
		})
	}
}

// An image completes even if entries are written faster than drawn.
func TestImage_EndsWhileEntriesCome(t *testing.T) {
	t.Parallel()
	b := newBusy(t, 1)
	for range 300 {
		b.step()
	}
	want := b.e.Hash()
	m := b.e.BeginImage()
	defer m.Close()
	var image []byte
	done := false
	for range 1000 {
		if image, done = m.Draw(image, 1); done {
			break
		}
		drafts := slices.Repeat([]call.Draft{{Kind: jobKind, Row: appendJob(nil, 1), Lease: call.Forever}}, 3)
		require.NoError(t, b.e.Write(b.now, txn.ID{}, call.Request{}, drafts).Err)
	}
	require.True(t, done)
	require.Equal(t, want, loaded(t, image).Hash())
}

// Very many outcomes of one session are drawn in steps too, as they were at the moment of the image, whatever becomes
// of them meanwhile.
func TestImage_DrawsOutcomesInSteps(t *testing.T) {
	t.Parallel()
	const n = 2000
	for name, meanwhile := range map[string]func(c *caller){
		"nothing happens": func(*caller) {},
		"more come": func(c *caller) {
			for range n {
				c.write(aStone(2))
			}
		},
		"the client receives all, and goes on": func(c *caller) {
			c.e.Received(1, c.session, c.e.LSN())
			for range n {
				c.write(aStone(2))
			}
		},
		"the client receives most, and goes on": func(c *caller) {
			c.e.Received(1, c.session, c.e.LSN()-n/4)
			for range n {
				c.write(aStone(2))
			}
		},
		"the session ends": func(c *caller) { c.e.EndSession(1, c.session, true) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newTestEngine(t)
			c := newCaller(t, e, 1)
			for range n {
				c.write(aStone(1))
			}
			want := e.Hash()
			m := e.BeginImage()
			defer m.Close()
			meanwhile(c)
			var image []byte
			for done := false; !done; {
				before := len(image)
				image, done = m.Draw(image, 10)
				records := 0
				var r record.Record
				for rest := image[before:]; len(rest) > 0; records++ {
					var err error
					rest, err = record.Next(rest, &r)
					require.NoError(t, err)
				}
				require.Less(t, records, 100)
			}
			require.Equal(t, want, loaded(t, image).Hash())
		})
	}
}

func applied(t *testing.T, log []byte) *Engine {
	e := New(Config{}, 0)
	require.NoError(t, e.Apply(log))
	return e
}

func loaded(t *testing.T, image []byte) *Engine {
	e := New(Config{}, 0)
	l := e.Load()
	require.NoError(t, l.Add(image))
	require.NoError(t, l.Finish())
	return e
}

func TestLoad_RefusesWhatIsNoImage(t *testing.T) {
	t.Parallel()
	b := newBusy(t, 1)
	for range 300 {
		b.step()
	}
	m := b.e.BeginImage()
	defer m.Close()
	image, done := m.Draw(nil, 1<<20)
	require.True(t, done)
	var r record.Record
	for rest := image; len(rest) > 0; {
		cut := len(image) - len(rest)
		l := New(Config{}, 0).Load()
		err := l.Add(image[:cut])
		if err == nil {
			err = l.Finish()
		}
		require.ErrorIs(t, err, record.ErrCorrupt, "%d bytes", cut)
		rest, err = record.Next(rest, &r)
		require.NoError(t, err)
	}
	require.ErrorIs(t, New(Config{}, 0).Load().Add(record.AppendNotify(nil, 1, 1)), record.ErrCorrupt)
}
