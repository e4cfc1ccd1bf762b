package call_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

func TestQuery_CheckRefusesWhatNoSpaceCouldAnswer(t *testing.T) {
	t.Parallel()
	one := []call.Template{{Kind: 1}}
	under := txn.ID{Number: 1}
	many := make([]template.Value, template.MaxOperands+1)
	for name, q := range map[string]call.Query{
		"no template":                {Max: 1},
		"no entry":                   {Templates: one},
		"take of what is held":       {Templates: one, Max: 1, Held: true, Take: true},
		"held, under a transaction":  {Templates: one, Max: 1, Held: true, Txn: under},
		"claim under no transaction": {Templates: one, Max: 1, Claim: true},
		"claim that takes":           {Templates: one, Max: 1, Claim: true, Take: true, Txn: under},
		"read that begins":           {Templates: one, Max: 1, Begin: true},
		"nested transaction":         {Templates: one, Max: 1, Begin: true, Take: true, Txn: under},
		"negative lease":             {Templates: one, Max: 1, Begin: true, Take: true, Lease: -1},
		"order over two templates":   {Templates: append(one, one...), Max: 1, Order: []template.Order{{}}},
		"order of every kind":        {Templates: []call.Template{{}}, Max: 1, Order: []template.Order{{}}},
		"conditions of every kind":   {Templates: []call.Template{{Conds: []template.Cond{{}}}}, Max: 1},
		"too many operands": {Templates: []call.Template{{
			Kind:  1,
			Conds: []template.Cond{{Op: template.In, Values: many}},
		}}, Max: 1},
		"too many operands, named kind": {Templates: []call.Template{{
			Named: &call.Named{Template: template.Template{Conds: []template.Cond{{Values: many}}}},
		}}, Max: 1},
	} {
		require.ErrorIs(t, q.Check(), call.ErrInvalidArgument, name)
	}
}

func TestQuery_CheckCutsMax(t *testing.T) {
	t.Parallel()
	q := call.Query{Templates: []call.Template{{}}, Max: 1 << 20}
	require.NoError(t, q.Check())
	require.Equal(t, call.MaxFind, q.Max)
}
