package wire_test

import (
	"encoding/binary"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/engine"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/template"
)

func val(s string) template.Value { return template.AppendString(nil, s) }

var query = engine.Query{
	Templates: []engine.Template{
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
	Max:   17, Take: true,
}

func appendQuery(dst []byte, q *engine.Query) []byte {
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
		for range 2 { // the same memory again
			body := appendQuery(wire.AppendFind(nil, query.Take, query.IfExists, wait, query.Max), &query)
			d := wire.NewDecoder(body)
			require.Equal(t, wait, q.DecodeFind(&d))
			require.NoError(t, d.Err())
			clear(body)
			require.Equal(t, query, q.Query)
			require.Positive(t, q.Size())
		}
	}
}

func TestFind_DecodesWithoutAllocating(t *testing.T) {
	var q wire.Query
	body := appendQuery(wire.AppendFind(nil, true, false, wire.WaitForever, 1), &query)
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
	for name, q := range map[string]engine.Query{
		"templates":  {Templates: make([]engine.Template, wire.MaxTemplates+1)},
		"conditions": {Templates: []engine.Template{{Kind: 1, Conds: conds}, {Kind: 1, Conds: conds}}},
		"operands":   {Templates: []engine.Template{{Kind: 1, Conds: []template.Cond{{Op: template.In, Values: values}}}}},
		"order":      {Templates: []engine.Template{{}}, Order: make([]template.Order, template.MaxOrder+1)},
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
	require.Len(t, wire.AppendLease(nil, engine.Forever), 1)
}

func TestEntries_ComeInParts(t *testing.T) {
	t.Parallel()
	var entries []engine.View
	for i := range 100 {
		entries = append(entries, engine.View{ID: uint64(i + 1), Kind: 3, Row: make([]byte, 10_000)})
	}
	b := wire.AppendPage(nil, 5, &engine.Result{Entries: entries, More: true, Cursor: 1 << 40})
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
	d := wire.NewDecoder(body)
	require.Equal(t, byte(1), d.Byte())
	require.Equal(t, uint64(1<<40), d.Uvarint())
	for _, e := range entries {
		require.Equal(t, e, d.Entry())
	}
	require.NoError(t, d.Err())
}

func TestFailed_NamesPositions(t *testing.T) {
	t.Parallel()
	d := wire.NewDecoder(wire.AppendFailed(nil, []error{nil, engine.ErrLeaseEnded, nil, errors.New("odd")}))
	got := map[int]error{}
	d.Failed(func(i int, err error) { got[i] = err })
	require.NoError(t, d.Err())
	require.Len(t, got, 2)
	require.Equal(t, engine.ErrLeaseEnded, got[1])
	require.ErrorIs(t, got[3], wire.ErrInternal)
}

// No body makes any decoder crash, run on or return more than it was given.
func FuzzBodies(f *testing.F) {
	f.Add(appendQuery(wire.AppendFind(nil, true, false, time.Hour, 1), &query))
	f.Add(wire.AppendDraft(nil, 3, engine.Forever, template.Row{1, 2}))
	f.Add(wire.AppendFailed(nil, []error{nil, engine.ErrLeaseEnded}))
	f.Add(wire.AppendEntry(nil, &engine.View{ID: 1, Kind: 2, Row: template.Row{1, 2}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		d := wire.NewDecoder(b)
		for d.More() {
			d.Draft()
		}
		d = wire.NewDecoder(b)
		for n := 0; d.More(); n++ {
			d.Entry()
			require.LessOrEqual(t, n, len(b))
		}
		d = wire.NewDecoder(b)
		for d.More() {
			d.Grant()
		}
		d = wire.NewDecoder(b)
		d.Failed(func(i int, err error) { require.Error(t, err) })

		var q wire.Query
		d = wire.NewDecoder(b)
		wait := q.DecodeFind(&d)
		if d.Err() != nil {
			return
		}
		again := wire.NewDecoder(appendQuery(wire.AppendFind(nil, q.Take, q.IfExists, wait, q.Max), &q.Query))
		var q2 wire.Query
		require.Equal(t, wait, q2.DecodeFind(&again))
		require.NoError(t, again.Err())
		require.Equal(t, q.Query, q2.Query)
	})
}
