package spacetest

import (
	"context"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/space/work"
)

// What a type lacks, or cannot hold.
func strictCases() cases {
	return cases{
		{"a strict call refuses what its type would lose", strictReads},
		{"strict work buries what its type would lose", strictWork},
		{"an update keeps the nested fields that its type lacks", updateKeepsNested}, // semantics 1.10
		{"a type without a field that could be stored is refused", strictEmptyType},
		{"a job that is put back without a delay is there at once", deferZero}, // semantics 5.9
	}
}

func strictReads(k *kit) {
	k.needOnePartition()
	write(k, first{1})
	write(k, third{"x", 2.5, 3})
	require.Equal(k, first{1}, read(k, first{}, space.Strict()))
	_, err := space.Read(k.ctx, k.sp, first{3}, space.Strict(), space.NoWait())
	var unusable *space.UnusableEntryError
	require.ErrorAs(k, err, &unusable)
	require.ErrorContains(k, err, `"b"`)
	require.Equal(k, map[string]any{"a": int64(3), "b": "x", "c": 2.5}, unusable.Fields)
	require.Equal(k, first{3}, read(k, first{3}))
	all, err := space.ReadAll(k.ctx, k.sp, first{}, 10, space.Strict())
	require.ErrorAs(k, err, &unusable)
	require.Equal(k, []first{{1}}, all)
	require.Equal(k, third{"x", 2.5, 3}, read(k, third{A: 3}, space.Strict()))
}

func strictWork(k *kit) {
	write(k, third{"x", 2.5, 3})
	write(k, first{1})
	var done []first
	err := work.Run(k.ctx, k.sp, first{}, func(_ context.Context, job *work.Job[first]) error {
		done = append(done, job.Value)
		return nil
	}, work.Config{Workers: 1}, space.NoWait(), space.Strict())
	k.ok(err)
	require.Equal(k, []first{{1}}, done)
	letter := take(k, work.DeadLetter{})
	require.Contains(k, letter.Fields, "2.5")
	require.Contains(k, letter.Reason, `"b"`)
}

// hidden has nothing that could be stored.
type hidden struct{ name string }

// empty has nothing, and says so.
type empty struct{}

func strictEmptyType(k *kit) {
	_, err := space.Write(k.ctx, k.sp, hidden{"x"})
	k.fails(space.ErrInvalidArgument, err)
	require.ErrorContains(k, err, "no field that could be stored")
	write(k, empty{})
	require.Equal(k, empty{}, take(k, empty{}))
}

func deferZero(k *kit) {
	writeAll(k, e1, e2)
	t := begin(k)
	id := takeOneIn(k, t, e1)
	k.ok(t.Defer(k.ctx, id, 0))
	waiting := startFind(k, verbs[2], e1)
	k.parked(1)
	commit(k, t)
	require.Equal(k, e1, waiting.result(k))

	t = begin(k)
	k.ok(t.Defer(k.ctx, takeOneIn(k, t, e2), 0))
	commit(k, t)
	require.Equal(k, e2, read(k, e2), "no moment passes")
	require.Equal(k, uint32(1), k.stored(onlyID(k, e2)).Attempts)
}

// onlyID returns the identity of the only match.
func onlyID(k *kit, v simple) space.LeaseID {
	k.Helper()
	found, err := k.sp.Read(k.ctx, k.match(v))
	k.ok(err)
	return found[0].ID
}

// Two versions of a kind with a nested struct.
type homeV1 struct{ Where struct{ City string } }

type homeV2 struct {
	Where struct {
		City, Street string
		Geo          struct{ Lat, Lon float64 }
	}
}

func (homeV1) Kind() string { return "home" }
func (homeV2) Kind() string { return "home" }

func updateKeepsNested(k *kit) {
	var v homeV2
	v.Where.City, v.Where.Street, v.Where.Geo.Lat = "Oslo", "Karl Johan", 59.9
	write(k, v)
	_, err := space.Update(k.ctx, k.sp, homeV1{}, func(h *homeV1) error { h.Where.City = "Bergen"; return nil })
	k.ok(err)
	v.Where.City = "Bergen"
	require.Equal(k, v, take(k, homeV2{}))
}
