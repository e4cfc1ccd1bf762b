package server_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/internal/server"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// Each operation of the table has a handler here, and a rule of the partition if it is one of those: it is answered,
// and not with an error that has no number.
func TestServer_ServesEveryOperation(t *testing.T) {
	t.Parallel()
	for typ := wire.Type(0); typ < wire.Types; typ++ {
		op := wire.OpOf(typ)
		if op == nil || op.Silent() || typ == wire.Repeat { // Repeat makes another call
			continue
		}
		t.Run(op.Name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, server.Config{}, partition.Config{})
			defer r.close()
			p := r.join()
			p.register()
			tx := answered(t, wire.BeginTxn, p.call(wire.BeginTxn, 3, wire.AppendLease([]byte{0}, int64(time.Minute))))
			a := call.Ask{
				ID: 1, Name: "k", At: txn.Address{Space: "space"}, Schema: &template.Schema{Kind: "other"}, Lease: 1,
				Drafts: []call.Draft{{Kind: 1, Row: row("x")}}, Change: call.Change{ID: 1, Kind: 1, Row: row("x")},
			}
			if op.HasQuery() {
				a.Query = &call.Query{Templates: []call.Template{{Kind: 1}}, Max: 1}
			}
			if op.OfTxn() || typ == wire.Outcome {
				a.Txn = txn.ID{Number: tx.Grants[0].ID}
			}
			p.send(typ, 4, op.Append(nil, 0, &a))
			if f := p.answer(4); f.Type == wire.Failure {
				d := wire.NewDecoder(f.Body)
				require.NotErrorIs(t, d.Error(), wire.ErrInternal)
			}
		})
	}
}
