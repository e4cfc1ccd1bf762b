package wire_test

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// results are results of all types of calls in which every field counts that the type has.
func results(r *rand.Rand) map[wire.Type]call.Result {
	id := func() uint64 { return r.Uint64() >> (1 + r.IntN(63)) }
	entries := []call.View{
		{ID: id(), Kind: 1, Version: 2, Row: template.Row{3}},
		{
			ID: id(), Kind: 2, Version: 1, Row: template.Row{}, Attempts: 3, Died: &call.Death{Holder: "worker", At: 4},
			Held: &call.Holding{Txn: txn.ID{Space: "s", Number: 5}, Holder: "another", For: 6, Left: 7},
		},
	}
	grants := []call.Grant{{ID: id(), Granted: int64(id())}, {ID: id(), Granted: call.Forever}}
	lease := int64(id())
	number := call.Result{Count: int(id()), Seq: id(), Version: uint32(id())}
	found := call.Result{Entries: entries, Count: -1 + r.IntN(3)}
	begun := call.Result{Waited: time.Duration(id())}
	for i := range entries {
		e := entries[i]
		e.Txn = id()
		begun.Entries = append(begun.Entries, e)
		begun.Grants = append(begun.Grants, call.Grant{ID: e.Txn, Granted: lease})
	}
	if r.IntN(2) == 0 {
		found = begun
	}
	report := func(r call.Report) call.Result { return call.Result{Report: &r} }
	leases := call.Result{Grants: grants, Errs: []error{nil, call.ErrLeaseEnded, nil, call.ErrInvalidArgument}}
	registrations := report(call.Report{Registrations: []call.Registration{
		{Watching: call.Watching{ID: id(), On: 5, Left: lease, Seq: id(), Kinds: []string{"", "k"}}, Attended: true},
		{Watching: call.Watching{ID: id(), Left: call.Forever}, Unread: id() >> 1},
	}})
	registrations.More = r.IntN(2) == 0
	return map[wire.Type]call.Result{
		wire.Register: {Count: number.Count}, wire.Schema: {Count: number.Count}, wire.Count: {Count: number.Count},
		wire.Snapshot: {Seq: number.Seq}, wire.Attach: {Seq: number.Seq}, wire.Update: {Version: number.Version},
		wire.Notify: {Grants: grants[:1], Seq: number.Seq},
		wire.Write:  {Grants: grants}, wire.BeginTxn: {Grants: grants[:1]}, wire.Commit: {Grants: grants},
		wire.Renew: leases, wire.Cancel: {Errs: leases.Errs},
		wire.Kinds: {Counts: []int{0, -1, 3}, Apart: []call.Apart{{Held: 1}, {}, {Delayed: 2}}},
		wire.Find:  found,
		wire.Contents: {
			Entries: entries, More: true, Count: found.Count, Cursor: call.Cursor{Place: id(), Last: id()},
		},
		wire.Outcome: {Fate: call.Committed, Version: number.Version, Grants: grants, Entries: entries},
		wire.Status:  report(call.Report{Body: []byte("{}")}),
		wire.Manage:  report(call.Report{Body: []byte("{}")}),
		wire.Spaces:  report(call.Report{Names: []string{"a", "b"}}),
		wire.Topology: report(call.Report{Topology: &call.Topology{
			Version: id(), Nodes: []call.Member{{Name: "a", Addr: "a:1"}, {}},
			Places: []call.Placed{
				{
					At: txn.Address{Space: "s", Partition: 3}, Node: "a",
					Epoch: call.Epoch{Created: id(), Claim: id()},
				},
				{},
			},
		}}),
		wire.Backup: report(call.Report{
			ID:    id(),
			Parts: []call.BackupPart{{At: txn.Address{Space: "a", Partition: 2}, Of: 3, Position: id()}},
		}),
		wire.Fetch: report(call.Report{Size: id(), Body: []byte{1, 2}}), wire.Registrations: registrations,
	}
}

// decodeAnswer decodes an answer without Parts.
func decodeAnswer(typ wire.Type, body []byte) (r call.Result, err error) {
	d := wire.NewDecoder(body)
	wire.OpOf(typ).DecodeAnswer(&d, &r)
	return r, d.Err()
}

func answerBody(t *testing.T, typ wire.Type, r *call.Result) []byte {
	b := wire.OpOf(typ).AppendAnswer(nil, 9, r)
	f, _, _, err := wire.Next(b, len(b))
	require.NoError(t, err)
	require.Equal(t, wire.Answer, f.Type)
	require.Equal(t, uint64(9), f.ID)
	return f.Body
}

// What the server appends the client decodes: every type that answers with more than "done" is here.
func TestOps_DecodeAnswers(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		all := results(r)
		frames(func(typ wire.Type, op *wire.Op) {
			want, told := all[typ]
			body := answerBody(t, typ, &want)
			got, err := decodeAnswer(typ, body)
			require.NoError(t, err, op.Name)
			require.Equal(t, want, got, op.Name)
			if !told {
				require.Empty(t, body, op.Name)
				return
			}
			got, err = decodeAnswer(typ, body[:len(body)-1])
			require.True(t, err != nil || !reflect.DeepEqual(want, got), op.Name)
		})
	}
}

// Errors without a number keep their text.
func TestOps_AnswersHaveOddErrors(t *testing.T) {
	t.Parallel()
	got, err := decodeAnswer(wire.Cancel, answerBody(t, wire.Cancel, &call.Result{Errs: []error{nil, errors.New("odd")}}))
	require.NoError(t, err)
	require.Len(t, got.Errs, 2)
	require.NoError(t, got.Errs[0])
	require.ErrorIs(t, got.Errs[1], wire.ErrInternal)
	require.ErrorContains(t, got.Errs[1], "odd")
}

// Whatever an answer holds, decoding it ends, and takes memory in proportion.
func FuzzAnswers(f *testing.F) {
	for typ, r := range results(rand.New(rand.NewPCG(1, 2))) {
		b := wire.OpOf(typ).AppendAnswer(nil, 1, &r)
		frame, _, _, _ := wire.Next(b, len(b))
		f.Add(byte(typ), frame.Body)
	}
	const positions = 4 << 20 // the errors of a bulk call are by position
	f.Fuzz(func(t *testing.T, typ byte, body []byte) {
		if wire.OpOf(wire.Type(typ)) == nil {
			return
		}
		require.Less(t, allocated(func() { _, _ = decodeAnswer(wire.Type(typ), body) }), uint64(positions+1000*len(body)))
	})
}
