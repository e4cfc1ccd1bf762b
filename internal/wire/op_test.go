package wire_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// frames calls f with each type of frame that a client sends.
func frames(f func(t wire.Type, op *wire.Op)) {
	for t := wire.Type(0); t < wire.Types; t++ {
		if op := wire.OpOf(t); op != nil {
			f(t, op)
		}
	}
}

// The table of operations and the tables of docs/protocol.md list the same types, by the same names.
func TestOps_AreThoseOfTheProtocol(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../docs/protocol.md")
	require.NoError(t, err)
	told := map[wire.Type]string{wire.Hello: "Hello"} // section 3 has it
	for _, m := range regexp.MustCompile(`(?m)^\| (\d+) ([A-Z]\w+) \|`).FindAllSubmatch(doc, -1) {
		n, err := strconv.Atoi(string(m[1]))
		require.NoError(t, err)
		if n < wire.Types {
			require.NotContains(t, told, wire.Type(n))
			told[wire.Type(n)] = string(m[2])
		}
	}
	have := map[wire.Type]string{}
	frames(func(t wire.Type, op *wire.Op) { have[t] = op.Name })
	require.Equal(t, told, have)
}

// asks are calls of all types in which every field counts that the type has.
func asks(r *rand.Rand) map[wire.Type]call.Ask {
	id := func() uint64 { return r.Uint64() >> r.IntN(64) }
	all := call.Ask{
		Txn: txn.ID{Space: "other", Number: 1 + id()}, Wait: time.Duration(id() >> 1), Lease: int64(id() >> 1),
		Delay: int64(id() >> 1),
		Drafts: []call.Draft{
			{Kind: 1, Lease: call.Forever, Row: template.Row{1}},
			{Kind: 2, Delay: int64(r.IntN(2)), Row: template.Row{}},
		},
		Change: call.Change{ID: id(), Version: 2, Kind: 3, Row: template.Row{4}},
		IDs:    []uint64{id(), id()}, ID: id(), Cursor: call.Cursor{Place: id(), Last: id()},
		On:  call.EventSet(r.IntN(1 << 10)),
		Seq: id(), Window: id(), Size: id(), Session: id(), Name: fmt.Sprint("name", r.IntN(10)), Tables: r.IntN(2) == 0,
		Schema: &template.Schema{Kind: "k", Fields: []template.Field{{Name: "f", Class: template.Int}}},
		At:     txn.Address{Space: "space", Partition: uint16(r.IntN(txn.MaxPartitions))},
	}
	made := map[wire.Type]call.Ask{}
	frames(func(t wire.Type, op *wire.Op) {
		a := all
		if op.HasQuery() {
			q := query
			if t == wire.Count || t == wire.Contents {
				q.Take = false
			}
			a.Query, a.Txn = &q, txn.ID{}
		}
		made[t] = a
	})
	return made
}

// What one side appends the other decodes: written again it is the same.
func TestOps_DecodeWhatIsAppended(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		for typ, a := range asks(r) {
			op := wire.OpOf(typ)
			body := op.Append(nil, 300, &a)
			var got call.Ask
			d := wire.NewDecoder(body)
			if op.HasHandle() {
				require.Equal(t, uint64(300), d.Uvarint(), op.Name)
			}
			op.Decode(&d, &got, new(wire.Query))
			require.NoError(t, d.Err(), op.Name)
			require.Equal(t, body, op.Append(nil, 300, &got), op.Name)
		}
	}
}

// Whatever a body holds, decoding it ends, and what it was decoded to can be sent again and is the same.
func FuzzOps(f *testing.F) {
	for typ, a := range asks(rand.New(rand.NewPCG(1, 2))) {
		op := wire.OpOf(typ)
		f.Add(byte(typ), op.Append(nil, 0, &a))
	}
	f.Fuzz(func(t *testing.T, typ byte, body []byte) {
		op := wire.OpOf(wire.Type(typ))
		if op == nil {
			return
		}
		var first, second call.Ask
		d := wire.NewDecoder(body)
		if op.HasHandle() {
			d.Uvarint()
		}
		op.Decode(&d, &first, new(wire.Query))
		if d.Err() != nil {
			return
		}
		again := op.Append(nil, 0, &first)
		d = wire.NewDecoder(again)
		if op.HasHandle() {
			d.Uvarint()
		}
		op.Decode(&d, &second, new(wire.Query))
		require.NoError(t, d.Err())
		require.Equal(t, again, op.Append(nil, 0, &second))
	})
}
