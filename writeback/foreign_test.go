package writeback_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/writeback"
)

var (
	childKind  = &template.Schema{Kind: "Child", Fields: []template.Field{{Name: "parent", Class: template.Int}}}
	parentKind = &template.Schema{Kind: "Parent", Fields: []template.Field{{Name: "name", Class: template.String}}}
)

// family mirrors children, kind 1, and parents, kind 2, to which the children refer. The kinds' order does not tell it
// to handle parents first.
func family(t *testing.T, cfg writeback.Config, key string) *mirrored {
	t.Helper()
	x := mirrorJobs(t, cfg, 0)
	x.follow(append(kindRecord(2, childKind), kindRecord(3, parentKind)...))
	x.exec(`ALTER TABLE space_test."Child" ADD FOREIGN KEY (parent) REFERENCES space_test."Parent"` + key)
	return x
}

func childRow(t *testing.T, of int64) []byte { return row(t, childKind, map[string]any{"parent": of}) }

func parentRow(t *testing.T, name string) []byte {
	return row(t, parentKind, map[string]any{"name": name})
}

func TestForeignKeys_RowsThatComeAndLeaveTogetherAreTaken(t *testing.T) {
	overLanes(t, func(t *testing.T, cfg writeback.Config) {
		for name, key := range map[string]string{
			"immediate": "", "deferred": " DEFERRABLE INITIALLY DEFERRED",
			"cascade": " ON DELETE CASCADE",
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				x := family(t, cfg, key)
				// A child before its parent.
				group := record.AppendPut(nil, 1, 2, forever, childRow(t, 2))
				group = record.AppendPut(group, 2, 3, forever, parentRow(t, "a"))
				group = record.AppendPut(group, 3, 3, forever, parentRow(t, "b"))
				x.follow(group)
				x.requireComplete()

				// A parent changes without a child.
				x.follow(record.AppendChange(nil, 2, 3, forever, parentRow(t, "a, changed")))
				x.requireComplete()

				// A parent leaves before its child, which has moved to another parent.
				group = record.AppendRemove(nil, 2, 3, record.Taken)
				group = record.AppendChange(group, 1, 2, forever, childRow(t, 3))
				x.follow(record.AppendPut(group, 4, 2, forever, childRow(t, 3)))
				x.requireComplete()

				// All leave, the parent first.
				group = record.AppendRemove(nil, 3, 3, record.Taken)
				group = record.AppendRemove(group, 1, 2, record.Taken)
				x.follow(record.AppendRemove(group, 4, 2, record.Taken))
				x.requireComplete()
				require.Zero(t, x.Stats().RowsRefused)
			})
		}
	})
}

// No order of tables helps with a foreign key from a table to itself.
func TestForeignKeys_WithinATable(t *testing.T) {
	overLanes(t, func(t *testing.T, cfg writeback.Config) {
		x := mirrorJobs(t, cfg, 1)
		x.exec(`ALTER TABLE space_test."Job" ADD FOREIGN KEY (id) REFERENCES space_test."Job"`)
		var group []byte
		for id := range uint64(50) { // each refers to the next
			group = record.AppendPut(group, 10+id, 1, forever, jobRow(t, int64(min(11+id, 59)), "new"))
		}
		x.follow(record.AppendPut(group, 99, 1, forever, jobRow(t, 13, "new")))
		x.requireComplete()
		group = record.AppendRemove(nil, 13, 1, record.Taken)
		for id := uint64(12); id >= 10; id-- {
			group = record.AppendRemove(group, id, 1, record.Taken)
		}
		x.follow(record.AppendRemove(group, 99, 1, record.Taken))
		x.requireComplete()
		require.Zero(t, x.Stats().RowsRefused)
	})
}

// A row without a parent is refused, and the rows that come with it are not.
func TestForeignKeys_WhatIsStillRefusedIsADeadLetter(t *testing.T) {
	overLanes(t, func(t *testing.T, cfg writeback.Config) {
		x := family(t, cfg, "")
		group := record.AppendPut(nil, 1, 2, forever, childRow(t, 77))
		group = record.AppendPut(group, 2, 2, forever, childRow(t, 3))
		x.follow(record.AppendPut(group, 3, 3, forever, parentRow(t, "a")))
		x.requireRefused(1)
		require.Equal(t, "23503", x.letters()[0].SQLState)

		x.follow(record.AppendRemove(nil, 3, 3, record.Taken)) // its child still refers to it
		actions := make(map[uint64]string)
		for _, l := range x.letters() {
			actions[l.Entry] = l.Action
		}
		require.Equal(t, map[uint64]string{1: "store", 3: "remove"}, actions)

		// Once nothing refers to the one, and the other's parent exists, they are resolved automatically.
		group = record.AppendRemove(nil, 2, 2, record.Taken)
		x.follow(record.AppendPut(group, 77, 3, forever, parentRow(t, "late")))
		require.Eventually(t, func() bool { return len(x.letters()) == 0 }, time.Minute, time.Millisecond)
		x.requireComplete()
	})
}
