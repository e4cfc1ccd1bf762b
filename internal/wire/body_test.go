package wire_test

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

func val(s string) template.Value { return template.AppendString(nil, s) }

var query = call.Query{
	Templates: []call.Template{
		{Kind: 3, Conds: []template.Cond{
			{Field: 0, Op: template.Eq, Value: val("a")},
			{Field: 300, Op: template.In, Values: []template.Value{val("b"), val("c")}},
			{Field: 2, Op: template.IsNull},
			{Field: 2, Op: template.Prefix, Value: val("")},
		}},
		{Kind: 0, Conds: []template.Cond{}},
		{Kind: 7, Conds: []template.Cond{{Field: 1, Op: template.In, Values: []template.Value{val("d")}}}},
	},
	Order: []template.Order{{Field: 1, Desc: true}, {Field: 2}},
	Max:   17, Take: true, ID: 300, Txn: txn.ID{Number: 5},
}

// begun is a query that takes each entry under its own transaction.
var begun = call.Query{
	Templates: []call.Template{{Conds: []template.Cond{}}}, Order: []template.Order{},
	Max: 1, Take: true, IfExists: true, Begin: true, Lease: int64(time.Minute),
	Txn: txn.ID{Space: "other", Number: 1 << 40},
}

func appendQuery(dst []byte, q *call.Query) []byte {
	dst = wire.AppendTxn(dst, q.Txn)
	dst = binary.AppendUvarint(dst, uint64(len(q.Templates)))
	for _, t := range q.Templates {
		dst = wire.AppendTemplate(dst, t.Kind, t.Conds)
	}
	return template.AppendOrder(dst, q.Order)
}

func TestFind_DecodesWhatIsAppended(t *testing.T) {
	t.Parallel()
	var q wire.Query
	for _, wait := range []time.Duration{0, wire.WaitForever, time.Nanosecond, time.Hour} {
		for _, want := range []call.Query{query, begun, query} { // reuses the memory
			body := appendQuery(wire.AppendFind(nil, &want, wait), &want)
			d := wire.NewDecoder(body)
			require.Equal(t, wait, q.DecodeFind(&d))
			require.NoError(t, d.Err())
			clear(body)
			require.Equal(t, want, q.Query)
			require.Positive(t, q.Size())
		}
	}
}

func TestFind_DecodesWithoutAllocating(t *testing.T) {
	var q wire.Query
	body := appendQuery(wire.AppendFind(nil, &query, wire.WaitForever), &query)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		d := wire.NewDecoder(body)
		q.DecodeFind(&d)
	}))
}

func TestQuery_IsBounded(t *testing.T) {
	t.Parallel()
	conds := make([]template.Cond, wire.MaxConds/2+1)
	for i := range conds {
		conds[i].Op = template.NotNull
	}
	values := make([]template.Value, wire.MaxValues+1)
	for name, q := range map[string]call.Query{
		"templates":  {Templates: make([]call.Template, wire.MaxTemplates+1)},
		"conditions": {Templates: []call.Template{{Kind: 1, Conds: conds}, {Kind: 1, Conds: conds}}},
		"operands":   {Templates: []call.Template{{Kind: 1, Conds: []template.Cond{{Op: template.In, Values: values}}}}},
		"order":      {Templates: []call.Template{{}}, Order: make([]template.Order, template.MaxOrder+1)},
	} {
		var decoded wire.Query
		d := wire.NewDecoder(appendQuery(nil, &q))
		decoded.Decode(&d)
		require.ErrorIs(t, d.Err(), wire.ErrMalformed, name)
	}
}

func TestLease_IsShortForForever(t *testing.T) {
	t.Parallel()
	for _, ns := range []int64{0, 1, int64(time.Hour), math.MaxInt64 - 1, math.MaxInt64} {
		d := wire.NewDecoder(wire.AppendLease(nil, ns))
		require.Equal(t, ns, d.Lease())
		require.NoError(t, d.Err())
	}
	require.Len(t, wire.AppendLease(nil, call.Forever), 1)
}

func TestEntries_ComeInParts(t *testing.T) {
	t.Parallel()
	var entries []call.View
	for i := range 100 {
		entries = append(entries,
			call.View{ID: uint64(i + 1), Kind: 3, Version: uint32(i + 1), Attempts: uint32(i % 3), Row: make([]byte, 10_000)})
	}
	page := call.Result{Entries: entries, More: true, Count: 40, Cursor: call.Cursor{Place: 1 << 40, Last: 7}}
	b := wire.OpOf(wire.Contents).AppendAnswer(nil, 5, &page)
	var body []byte
	for frames := 1; ; frames++ {
		f, size, _, err := wire.Next(b, 300<<10)
		require.NoError(t, err)
		require.Equal(t, uint64(5), f.ID)
		body = append(body, f.Body...)
		if b = b[size:]; len(b) == 0 {
			require.Equal(t, wire.Answer, f.Type)
			require.Greater(t, frames, 2)
			break
		}
		require.Equal(t, wire.Part, f.Type)
	}
	var got call.Result
	d := wire.NewDecoder(body)
	wire.OpOf(wire.Contents).DecodeAnswer(&d, &got)
	require.NoError(t, d.Err())
	require.Equal(t, page, got)
}

func TestEntry_IsShort(t *testing.T) {
	t.Parallel()
	require.Len(t, wire.AppendEntry(nil, &call.View{ID: 1, Kind: 2, Version: 1, Row: template.Row{}}), 4)
}

func TestDrafts_DecodesWhatIsAppended(t *testing.T) {
	t.Parallel()
	plain := []call.Draft{{Kind: 1, Lease: call.Forever, Row: template.Row{1}}, {Kind: 2, Lease: 0, Row: template.Row{}}}
	delayed := []call.Draft{plain[0], {Kind: 2, Lease: 5, Delay: 7, Row: template.Row{}}}
	b := wire.AppendDrafts(nil, 2, false)
	for _, e := range plain {
		b = wire.AppendDraft(b, e.Kind, e.Lease, e.Row)
	}
	d := wire.NewDecoder(b)
	require.Equal(t, plain, d.Drafts(nil))
	require.NoError(t, d.Err())
	b = wire.AppendDrafts(nil, 2, true)
	for _, e := range delayed {
		b = wire.AppendDelayed(b, e.Kind, e.Lease, e.Delay, e.Row)
	}
	d = wire.NewDecoder(b)
	require.Equal(t, delayed, d.Drafts(nil))
	require.NoError(t, d.Err())
}

func TestTxn_DecodesWhatIsAppended(t *testing.T) {
	t.Parallel()
	for _, id := range []txn.ID{{}, {Number: 1}, {Space: "other", Number: 1<<64 - 1}} {
		d := wire.NewDecoder(wire.AppendTxn(nil, id))
		require.Equal(t, id, d.Txn())
		require.NoError(t, d.Err())
	}
	require.Len(t, wire.AppendTxn(nil, txn.ID{}), 1)
	d := wire.NewDecoder(wire.AppendTxn(nil, txn.ID{Space: strings.Repeat("x", wire.MaxName+1), Number: 1}))
	d.Txn()
	require.ErrorIs(t, d.Err(), wire.ErrMalformed)
}

func TestAddress_DecodesWhatIsAppended(t *testing.T) {
	t.Parallel()
	for _, a := range []txn.Address{{}, {Space: "jobs"}, {Space: "jobs", Partition: txn.MaxPartitions - 1}} {
		d := wire.NewDecoder(wire.AppendAddress(nil, a))
		require.Equal(t, a, d.Address())
		require.NoError(t, d.Err())
	}
	for _, a := range []txn.Address{{Space: strings.Repeat("x", wire.MaxName+1)}, {Partition: txn.MaxPartitions}} {
		d := wire.NewDecoder(wire.AppendAddress(nil, a))
		d.Address()
		require.ErrorIs(t, d.Err(), wire.ErrMalformed)
	}
}

func TestChange_DecodesWhatIsAppended(t *testing.T) {
	t.Parallel()
	c := call.Change{ID: 1, Version: 2, Kind: 3, Row: template.Row{4}}
	d := wire.NewDecoder(wire.AppendChange(nil, &c))
	require.Equal(t, c, d.Change())
	require.NoError(t, d.Err())
}

func TestRepeated_DecodesWhatIsAppended(t *testing.T) {
	t.Parallel()
	for op := wire.Type(0); op < wire.Welcome; op++ {
		for _, ask := range []bool{false, true} {
			for number, want := range map[uint64]uint64{1: 1, wire.MaxCall: wire.MaxCall, wire.MaxCall + 1: 0} {
				d := wire.NewDecoder(wire.AppendRepeated(nil, op, ask, number))
				gotOp, gotAsk, got := d.Repeated()
				require.Equal(t, op, gotOp)
				require.Equal(t, ask, gotAsk)
				require.Equal(t, want, got)
				require.NoError(t, d.Err())
			}
		}
	}
}

func TestOpened_DecodesWhatIsAppended(t *testing.T) {
	t.Parallel()
	for _, o := range []*wire.Opened{
		{Incarnation: "first", Session: 1 << 40},
		{Incarnation: "first", Partitions: 256, Session: 1, Lost: true},
		{Txns: []wire.OpenTxn{{1, 2}, {1 << 40, 1 << 41}}},
	} {
		d := wire.NewDecoder(wire.AppendOpened(nil, o))
		require.Equal(t, o, d.Opened())
		require.NoError(t, d.Err())
	}
}

// decodeBodies decodes b as every type of body that allocates by its content.
func decodeBodies(b []byte) {
	d := wire.NewDecoder(b)
	d.Drafts(nil)
	d = wire.NewDecoder(b)
	new(wire.Query).DecodeFind(&d)
}

// No body makes any decoder panic, run on, allocate for missing data, or return more than its input.
func FuzzBodies(f *testing.F) {
	f.Add(appendQuery(wire.AppendFind(nil, &query, time.Hour), &query))
	f.Add(appendQuery(wire.AppendFind(nil, &begun, wire.WaitForever), &begun))
	f.Add(wire.AppendDraft(wire.AppendDrafts(nil, 1, false), 3, call.Forever, template.Row{1, 2}))
	f.Add(wire.AppendDelayed(wire.AppendDrafts(nil, 1, true), 3, 0, 1, template.Row{1, 2}))
	f.Add(wire.AppendTxn(nil, txn.ID{Space: "other", Number: 1}))
	f.Add(wire.AppendChange(nil, &call.Change{ID: 1, Version: 2, Kind: 3, Row: template.Row{1, 2}}))
	f.Add(wire.AppendEntry(nil, &call.View{ID: 1, Kind: 2, Version: 1, Attempts: 3, Row: template.Row{1, 2}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		require.Less(t, allocated(func() { decodeBodies(b) }), uint64(64<<10+1000*len(b)))
		d := wire.NewDecoder(b)
		require.LessOrEqual(t, len(d.Drafts(nil)), len(b))
		d = wire.NewDecoder(b)
		d.Repeated()
		d.Opened()
		d = wire.NewDecoder(b)
		d.Txn()
		d.Change()
		d = wire.NewDecoder(b)
		for n := 0; d.More(); n++ {
			d.Entry()
			require.LessOrEqual(t, n, len(b))
		}

		var q wire.Query
		d = wire.NewDecoder(b)
		wait := q.DecodeFind(&d)
		if d.Err() != nil {
			return
		}
		again := wire.NewDecoder(appendQuery(wire.AppendFind(nil, &q.Query, wait), &q.Query))
		var q2 wire.Query
		require.Equal(t, wait, q2.DecodeFind(&again))
		require.NoError(t, again.Err())
		require.Equal(t, q.Query, q2.Query)
	})
}
