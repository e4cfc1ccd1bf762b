package engine

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// The golden files were written by the first program of each version of the record format: v1.log is the log of its
// engine, v1.image an image of the resulting state, and v1.txt that state as text. Every later program reads them. A
// new version gets new files; existing ones never change. To write missing files:
//
//	GOLDEN=write go test ./internal/engine -run Golden
const goldenSeed, goldenSteps = 1, 400

func TestGolden_LogsAndImagesOfEveryVersionAreRead(t *testing.T) {
	t.Parallel()
	makeGolden(t)
	log, image, want := golden(t, "v1.log"), golden(t, "v1.image"), string(golden(t, "v1.txt"))
	require.Equal(t, want, inWords(applied(t, log)), "the log")
	require.Equal(t, want, inWords(loaded(t, image)), "the image")
	require.Equal(t, applied(t, log).Hash(), loaded(t, image).Hash())

	seen := map[record.Op]bool{}
	var r record.Record
	for rest := slices.Concat(log, image); len(rest) > 0; {
		var err error
		rest, err = record.Next(rest, &r)
		require.NoError(t, err)
		seen[r.Op] = true
	}
	// What the engine does not write, and is tested in package record; and what these programs are too short for
	// (TestUpkeep).
	for _, op := range []record.Op{
		record.Together, record.Unread, record.Index, record.DropIndex,
		record.Lost, record.Noop, record.Origin, record.Audit, record.Checksum,
	} {
		require.False(t, seen[op], "operation %d", op)
		seen[op] = true
	}
	for op := range 256 {
		if _, err := record.Next([]byte{byte(op)}, &r); err == nil || !strings.Contains(err.Error(), "unknown operation") {
			require.True(t, seen[record.Op(op)], "operation %d is in no golden file", op)
		}
	}
}

func golden(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	return b
}

// makeGolden writes missing golden files, if asked to.
func makeGolden(t *testing.T) {
	t.Helper()
	if os.Getenv("GOLDEN") != "write" {
		return
	}
	b := newBusy(t, goldenSeed)
	for range goldenSteps {
		b.step()
	}
	b.rarities()
	m := b.e.BeginImage()
	defer m.Close()
	image, done := m.Draw(nil, 1<<20)
	require.True(t, done)
	require.NoError(t, os.MkdirAll("testdata", 0o755))
	for name, content := range map[string][]byte{"v1.log": b.e.Log, "v1.image": image, "v1.txt": []byte(inWords(b.e))} {
		f, err := os.OpenFile(filepath.Join("testdata", name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if os.IsExist(err) {
			continue
		}
		require.NoError(t, err)
		_, err = f.Write(content)
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
}

// rarities does what step rarely does.
func (b *busy) rarities() {
	e, t := b.e, b.t
	var ids []uint64
	for range 8 {
		r := e.Write(b.now, txn.ID{}, b.by(), []call.Draft{{Kind: jobKind, Row: appendJob(nil, 9), Lease: call.Forever}})
		require.NoError(t, r.Err)
		ids = append(ids, r.Grants[0].ID)
	}
	several := byKey(9, true)
	several.Max, several.By = 3, b.by()
	require.Len(t, e.Find(b.now, several).Entries, 3)

	home := txn.ID{Number: e.Begin(b.now, call.Forever, call.Request{}, "").Grants[0].ID}
	q := byKey(9, true)
	q.Txn = home
	require.NoError(t, e.Find(b.now, q).Err)
	require.NoError(t, e.Defer(b.now, home, ids[3], 1<<30).Err)
	require.NoError(t, e.Decide(b.now, home, call.Request{}, nil, []txn.Address{{Space: "a"}}).Err)
	require.NoError(t, e.Forget(b.now, home.Number).Err)

	branch := txn.ID{Space: "home", Number: 77}
	require.NoError(t, e.Join(b.now, branch).Err)
	q = byKey(9, true)
	q.Txn = branch
	require.NoError(t, e.Find(b.now, q).Err)
	require.NoError(t, e.Update(b.now, branch, call.Request{}, call.Change{ID: ids[5], Row: appendJob(nil, 8)}).Err)
	require.NoError(t,
		e.Write(b.now, branch, call.Request{},
			[]call.Draft{{Kind: jobKind, Row: appendJob(nil, 7), Lease: call.Forever}}).Err)
	require.NoError(t, e.Prepare(b.now, branch, e.branches[branch]).Err)

	for _, lease := range []int64{1, call.Forever} {
		holder := txn.ID{Number: e.Begin(b.now, lease, b.by(), "worker").Grants[0].ID}
		q = byKey(9, true)
		q.Txn = holder
		require.NoError(t, e.Find(b.now, q).Err)
		if lease == call.Forever {
			require.NoError(t, e.Find(b.now, &call.Query{Templates: q.Templates, Max: 1, Txn: holder}).Err)
		}
		b.now += 3 << tickShift
		e.Expire(b.now)
	}

	require.NoError(t, e.Notify(b.now, byKey(1, false), call.Events(call.Available), call.Forever).Err)
	e.Restarted(b.now)

	later := &call.Query{Templates: []call.Template{named("later", template.Field{Name: "size", Class: template.Int},
		template.AppendInt(nil, 3))}, Max: 1}
	require.NoError(t, e.Check(later))
	require.NoError(t, e.Notify(b.now, later, call.Events(call.Written), call.Forever).Err)
	require.NoError(t,
		e.Register(b.now, &template.Schema{Kind: "gone", Fields: []template.Field{{Name: "a", Class: template.Int}}}).Err)
	require.NoError(t, e.Drop(b.now, "gone").Err)
}

// named returns a template that names its kind, for entries with the given value in a field.
func named(kind string, f template.Field, v template.Value) call.Template {
	return call.Template{Named: &call.Named{Template: template.Template{
		Kind: kind, Fields: []template.Field{f}, Conds: []template.Cond{{Op: template.Eq, Value: v}},
	}}}
}

// inWords describes the state that a log or an image defines.
func inWords(e *Engine) string {
	var b strings.Builder
	for _, k := range e.kinds {
		fmt.Fprintf(&b, "kind %d %s dropped %t\n", k.id, k.schema.Kind, k.dropped)
		for _, s := range k.committed() {
			en := k.At(s)
			row, version := k.Row(s), en.Version
			if l := k.locks[s]; l != nil && en.State == changed {
				row, version = k.oldRow(e, l), version-1
			}
			fmt.Fprintf(&b, "entry %d row %x expires %d version %d attempts %d", en.ID, short(row), en.Expires, version,
				en.Attempts)
			if en.State == delayed {
				fmt.Fprintf(&b, " visible %d", k.later[s])
			}
			fmt.Fprintln(&b)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(e.registrations)) {
		if r := e.registrations[id]; r.txn == nil {
			fmt.Fprintf(&b, "registration %d on %b events %d expires %d templates %x\n",
				id, r.on, r.seq, r.expires, appendTemplates(nil, r.query.Templates))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(e.sessions.byID)) {
		s := e.sessions.byID[id]
		fmt.Fprintf(&b, "session %d client %x\n", id, s.client)
		for x, ok := s.kept.at(s.kept.first()); ok; x, ok = s.kept.at(x.next) {
			fmt.Fprintf(&b, "outcome %d of call %d %x\n", x.sort, x.number, short(x.body))
		}
	}
	for _, number := range slices.Sorted(maps.Keys(e.txns)) {
		if t := e.txns[number]; t.prepared {
			fmt.Fprintf(&b, "prepared %v %x\n", t.name, short(appendPrepared(nil, t)))
		} else if t.holds > 0 {
			fmt.Fprintf(&b, "holds of %d %x\n", t.id, e.appendHolds(nil, t))
		}
	}
	fmt.Fprintf(&b, "deaths %x\n", e.appendDeaths(nil))
	for _, d := range e.Decisions() {
		fmt.Fprintf(&b, "decided %d %v\n", d.Number, d.Participants)
	}
	fmt.Fprintf(&b, "last %d\n", max(e.lastID, e.reserved))
	return b.String()
}

// short drops trailing zeros, of which the rows of these tests have many.
func short[B ~[]byte](b B) []byte { return bytes.TrimRight(b, "\x00") }
