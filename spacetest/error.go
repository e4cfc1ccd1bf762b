package spacetest

import (
	"context"
	"errors"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/txn"
)

func errorCases() cases {
	return cases{
		{"each error is the one promised, and no other", errorIdentity},
		{"errors say what they are about", errorText},
		{"a failed call leaves the space as it was", errorChangesNothing},
		{"contexts end calls with their own errors", errorContext},
	}
}

// sentinels are all errors that a space promises.
var sentinels = []error{
	space.ErrNoMatch, space.ErrSchemaConflict, space.ErrTooLarge, space.ErrLeaseEnded, space.ErrInvalidArgument,
	space.ErrOutcomeUnknown, space.ErrUnavailable, space.ErrClosed, space.ErrLogFull, space.ErrSpaceFull,
}

// mistakes are calls that must fail, each with one of sentinels.
func mistakes(k *kit) []mistake {
	ended := write(k, e1)
	k.ok(ended.Cancel(k.ctx))
	write(k, first{1})
	return []mistake{
		{
			"read of nothing", space.ErrNoMatch,
			func() error { _, err := space.Read(k.ctx, k.sp, every{}, space.NoWait()); return err },
		},
		{
			"take of nothing", space.ErrNoMatch,
			func() error { _, err := space.Take(k.ctx, k.sp, every{}, space.Wait(1)); return err },
		},
		{"conflict", space.ErrSchemaConflict, func() error { _, err := space.Write(k.ctx, k.sp, conflicting{}); return err }},
		{"too large", space.ErrTooLarge, func() error {
			_, err := space.Write(k.ctx, k.sp, simple{Name: strings.Repeat("x", tooMuch)})
			return err
		}},
		{"ended lease", space.ErrLeaseEnded, func() error { return ended.Cancel(k.ctx) }},
		{"renewal of an ended lease", space.ErrLeaseEnded, func() error { _, err := ended.Renew(k.ctx, long); return err }},
		{"negative lease", space.ErrInvalidArgument, func() error {
			_, err := k.sp.Write(k.ctx, txn.ID{}, []space.Draft{{Kind: "generation", Lease: -1}})
			return err
		}},
		{"no templates", space.ErrInvalidArgument, func() error { _, err := k.sp.Take(k.ctx, space.Query{}); return err }},
	}
}

type mistake struct {
	name string
	want error
	call func() error
}

func errorIdentity(k *kit) {
	for _, m := range mistakes(k) {
		err := m.call()
		for _, s := range sentinels {
			require.Equal(k, s == m.want, errors.Is(err, s), "%s: %v is %v", m.name, err, s)
		}
	}
}

func errorText(k *kit) {
	for _, m := range mistakes(k) {
		require.Contains(k, m.call().Error(), m.want.Error(), m.name)
	}
	_, err := space.Read(k.ctx, k.sp, simple{}, space.Where("name", space.Eq(1)))
	require.ErrorContains(k, err, "name")
	_, err = space.Write(k.ctx, k.sp, conflicting{})
	require.ErrorContains(k, err, "generation")
}

func errorChangesNothing(k *kit) {
	ms := mistakes(k)
	before := k.total()
	for _, m := range ms {
		require.Error(k, m.call())
		require.Equal(k, before, k.total(), m.name)
	}
}

func errorContext(k *kit) {
	ctx, cancel := context.WithCancel(k.ctx)
	cancel()
	for name, call := range map[string]func() error{
		"register": func() error { _, err := k.sp.Register(ctx, schemaOf("raw", nil, "a")); return err },
		"write":    func() error { _, err := space.Write(ctx, k.sp, e1); return err },
		"read":     func() error { _, err := space.Read(ctx, k.sp, e1); return err },
		"count":    func() error { _, err := space.Count(ctx, k.sp, e1); return err },
		"notify":   func() error { _, err := space.Notify(ctx, k.sp, e1); return err },
		"renew":    func() error { _, err := k.sp.Renew(ctx, long, 1); return err },
		"cancel":   func() error { return k.sp.Cancel(ctx, 1) },
		"kinds":    func() error { _, err := k.sp.Kinds(ctx); return err },
	} {
		require.ErrorIs(k, call(), context.Canceled, name)
	}
	require.Zero(k, k.total())
}
