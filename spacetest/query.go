package spacetest

import (
	"errors"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/template"
)

func queryCases() cases {
	return cases{
		{"every call honours or refuses every part of a query", queryParts},         // semantics 8.6
		{"a query that can never be right is refused by every call", queryInvalid},  // semantics 8.6
		{"every part of a draft is honoured or refused", queryDrafts},               // semantics 8.6
		{"every function honours every option that fits it", queryOptions},          // semantics 8.6
		{"a count of a prepared template that waits, and has an order", queryCount}, // semantics 8.6
	}
}

// queryCall makes one of the calls that take a query, and returns what it found.
type queryCall struct {
	name string
	call func(k *kit, q space.Query) ([]simple, error)
}

// queryCalls are all calls that take a query. What a count finds has no fields; a registration finds nothing.
var queryCalls = []queryCall{
	{"Read", func(k *kit, q space.Query) ([]simple, error) {
		entries, err := k.sp.Read(k.ctx, q)
		return decode(k, entries), err
	}},
	{"Take", func(k *kit, q space.Query) ([]simple, error) {
		entries, err := k.sp.Take(k.ctx, q)
		for i := range entries {
			if q.Begin != (entries[i].Txn != nil) {
				k.Error("a transaction was begun, or was not")
			}
		}
		return decode(k, entries), err
	}},
	{"Count", func(k *kit, q space.Query) ([]simple, error) {
		n, err := k.sp.Count(k.ctx, q)
		return make([]simple, n), err
	}},
	{"Contents", func(k *kit, q space.Query) ([]simple, error) {
		var found []simple
		for e, err := range k.sp.Contents(k.ctx, q) {
			if err != nil {
				return found, err
			}
			found = append(found, decode(k, []space.Entry{e})...)
		}
		return found, nil
	}},
	{"Notify", func(k *kit, q space.Query) ([]simple, error) {
		reg, err := k.sp.Notify(k.ctx, q, 0, long)
		if err == nil {
			err = reg.Close()
		}
		return nil, err
	}},
}

func queryParts(k *kit) {
	// What each call finds among e1, e2, e3: nil is refused, none is nothing.
	none := []simple{}
	one, two, all := []simple{e2}, []simple{e1, e2}, []simple{e1, e2, e3}
	refused := []simple(nil)
	for _, part := range []struct {
		name                                string
		set                                 func(q *space.Query, ids []space.LeaseID)
		read, take, count, contents, notify []simple
	}{
		{
			"nothing", func(*space.Query, []space.LeaseID) {},
			all[:1], all[:1], all, all, none,
		},
		{
			"ID", func(q *space.Query, ids []space.LeaseID) { q.ID = ids[1] },
			one, one, one, one, refused,
		},
		{
			"ID of an entry that does not match", func(q *space.Query, ids []space.LeaseID) {
				q.ID, q.Templates = ids[1], q.Templates[1:]
			},
			none, none, none, none, refused,
		},
		{
			"ID of no entry", func(q *space.Query, _ []space.LeaseID) { q.ID = 1 << 40 },
			none, none, none, none, refused,
		},
		{
			"Order", func(q *space.Query, _ []space.LeaseID) {
				q.Templates, q.Order, q.Max = q.Templates[:1], []template.Order{{Field: 1, Desc: true}}, 2
			},
			[]simple{e2, e3},
			[]simple{e2, e3},
			refused, refused, refused,
		},
		{
			"Max", func(q *space.Query, _ []space.LeaseID) { q.Max = 2 },
			two, two, all, two, refused,
		},
		{
			"Wait", func(q *space.Query, _ []space.LeaseID) { q.NoWait, q.Wait = false, long },
			all[:1], all[:1], refused, refused, refused,
		},
		{
			"IfExists", func(q *space.Query, _ []space.LeaseID) { q.NoWait, q.IfExists = false, true },
			all[:1], all[:1], refused, refused, refused,
		},
		{
			"Begin", func(q *space.Query, _ []space.LeaseID) { q.Begin, q.Lease = true, long },
			refused, all[:1], refused, refused, refused,
		},
		{
			"Lease without Begin", func(q *space.Query, _ []space.LeaseID) { q.Lease = long },
			refused, all[:1], refused, refused, refused, // a take begins none, as it says
		},
		{
			"Held", func(q *space.Query, ids []space.LeaseID) { // e1 and e2 are
				t := begin(k)
				take(k, e1, space.In(t))
				take(k, e2, space.In(t))
				q.Held, q.Max = true, 9
			},
			two, refused, two, two, refused,
		},
		{
			"one template of two", func(q *space.Query, _ []space.LeaseID) { q.Templates, q.Max = q.Templates[1:], 9 },
			[]simple{e1, e3},
			[]simple{e1, e3},
			[]simple{e1, e3},
			[]simple{e1, e3},
			refused,
		},
	} {
		for i, want := range [...][]simple{part.read, part.take, part.count, part.contents, part.notify} {
			ids := make([]space.LeaseID, 0, 3)
			for _, l := range writeAll(k, e1, e2, e3) {
				ids = append(ids, l.ID())
			}
			q := k.match(simple{}, simple{Name: "A"})
			part.set(&q, ids)
			c := queryCalls[i]
			found, err := c.call(k, q)
			what := c.name + " with " + part.name
			switch {
			case want == nil:
				require.ErrorIs(k, err, space.ErrInvalidArgument, what)
			case len(want) == 0 && i < 2:
				require.ErrorIs(k, err, space.ErrNoMatch, what)
			default:
				require.NoError(k, err, what)
			}
			if require.Len(k, found, len(want), what); i < 2 {
				require.Equal(k, slices.Concat(none, want), slices.Concat(none, found), what)
			}
			_ = k.sp.Cancel(k.ctx, ids...) // some were taken
			require.Zero(k, k.total(), what)
		}
	}
}

func queryInvalid(k *kit) {
	l := write(k, e1)
	ended := begin(k)
	commit(k, ended)
	for name, set := range map[string]func(*space.Query){
		"no template":                      func(q *space.Query) { q.Templates = nil },
		"a nil template":                   func(q *space.Query) { q.Templates[0] = nil },
		"a nil template beside another":    func(q *space.Query) { q.Templates = append(q.Templates, nil) },
		"conditions without a kind":        func(q *space.Query) { q.Templates[0].Kind = "" },
		"a field that there is not":        func(q *space.Query) { q.Templates[0].Conds[0].Field = 99 },
		"an operator that there is not":    func(q *space.Query) { q.Templates[0].Conds[0].Op = 99 },
		"a negative max":                   func(q *space.Query) { q.Max = -1 },
		"a negative wait":                  func(q *space.Query) { q.Wait = -1 },
		"a negative lease":                 func(q *space.Query) { q.Begin, q.Lease = true, -1 },
		"an order by a field there is not": func(q *space.Query) { q.Order = []template.Order{{Field: 99}} },
		"an order by a field twice":        func(q *space.Query) { q.Order = []template.Order{{Field: 1}, {Field: 1}} },
		"an order of two templates": func(q *space.Query) {
			q.Templates, q.Order = append(q.Templates, q.Templates[0]), []template.Order{{Field: 1}}
		},
		"a transaction in a transaction": func(q *space.Query) { q.Begin, q.Txn = true, ended.ID() },
	} {
		for _, c := range queryCalls {
			q := k.match(e1)
			set(&q)
			_, err := c.call(k, q)
			require.ErrorIs(k, err, space.ErrInvalidArgument, "%s of %s", c.name, name)
		}
	}
	for _, c := range queryCalls {
		q := k.match(e1)
		q.Txn = ended.ID()
		_, err := c.call(k, q)
		require.ErrorIs(k, err, space.ErrTxnEnded, c.name)
	}
	require.Equal(k, e1, read(k, e1))
	k.ok(l.Cancel(k.ctx))
}

func queryDrafts(k *kit) {
	writing := map[string]func([]space.Draft) error{
		"Write": func(ds []space.Draft) error { _, err := k.sp.Write(k.ctx, noTxn, ds); return err },
		"Write under a transaction": func(ds []space.Draft) error {
			t := begin(k)
			_, err := k.sp.Write(k.ctx, t.ID(), ds)
			commit(k, t)
			return err
		},
		"Commit": func(ds []space.Draft) error { _, err := k.sp.Commit(k.ctx, begin(k).ID(), ds); return err },
	}
	for name, call := range writing {
		for part, set := range map[string]func(*space.Draft){
			"a negative lease": func(d *space.Draft) { d.Lease = -1 },
			"a negative delay": func(d *space.Draft) { d.Delay = -1 },
			"a long delay":     func(d *space.Draft) { d.Delay = space.MaxDelay + 1 },
			"no kind":          func(d *space.Draft) { d.Kind = "" },
			"an unknown kind":  func(d *space.Draft) { d.Kind = "never written" },
			"half a row":       func(d *space.Draft) { d.Row = d.Row[:1] },
		} {
			ds := k.drafts(e1, e2)
			set(&ds[1])
			require.ErrorIs(k, call(ds), space.ErrInvalidArgument, "%s: %s", name, part)
			require.Zero(k, k.total())
		}
		ds := k.drafts(e1, e2, e3)
		ds[0].Lease, ds[1].Delay = 0, long
		k.ok(call(ds))
		require.Equal(k, []simple{e3}, drain(k, simple{}), name)
	}
}

// typed is a typed function, the options that fit it, and the type that these have.
type typed struct {
	name string
	fits string
	call func(k *kit, option any) error
}

// calling returns a typed function with options of type O, of which only the error counts.
func calling[O, T any](name, fits string, call func(k *kit, opts ...O) (T, error)) typed {
	return typed{name, fits, func(k *kit, option any) error {
		_, err := call(k, as[O]([]any{option})...)
		return err
	}}
}

const (
	matchOptions = "Where Or Strict"
	findOptions  = matchOptions + " OrderBy Wait"
	takeOptions  = findOptions + " In"
	readOptions  = takeOptions + " Held"
	idOptions    = matchOptions + " Wait In"
	writeOptions = "For Delay In"
)

var typedCalls = []typed{
	calling("Write", writeOptions, func(k *kit, o ...space.WriteOption) (any, error) {
		return space.Write(k.ctx, k.sp, e3, o...)
	}),
	calling("WriteAll", writeOptions, func(k *kit, o ...space.WriteOption) (any, error) {
		return space.WriteAll(k.ctx, k.sp, []simple{e3}, o...)
	}),
	calling("Read", readOptions, func(k *kit, o ...space.ReadOption) (any, error) {
		return space.Read(k.ctx, k.sp, e1, o...)
	}),
	calling("Take", takeOptions, func(k *kit, o ...space.TakeOption) (any, error) {
		return space.Take(k.ctx, k.sp, e1, o...)
	}),
	calling("ReadIfExists", readOptions, func(k *kit, o ...space.ReadOption) (any, error) {
		return space.ReadIfExists(k.ctx, k.sp, e1, o...)
	}),
	calling("TakeIfExists", takeOptions, func(k *kit, o ...space.TakeOption) (any, error) {
		return space.TakeIfExists(k.ctx, k.sp, e1, o...)
	}),
	calling("ReadAll", readOptions+" Hidden", func(k *kit, o ...space.ReadAllOption) (any, error) {
		return space.ReadAll(k.ctx, k.sp, e1, 9, o...)
	}),
	calling("TakeAll", takeOptions, func(k *kit, o ...space.TakeOption) (any, error) {
		return space.TakeAll(k.ctx, k.sp, e1, 9, o...)
	}),
	calling("TakeTxn", findOptions+" For", func(k *kit, o ...space.TakeTxnOption) (any, error) {
		_, t, err := space.TakeTxn(k.ctx, k.sp, e1, o...)
		if err == nil {
			abort(k, t)
		}
		return nil, err
	}),
	calling("ReadID", idOptions, func(k *kit, o ...space.IDOption) (any, error) {
		return space.ReadID[simple](k.ctx, k.sp, 1<<40, o...)
	}),
	calling("TakeID", idOptions, func(k *kit, o ...space.IDOption) (any, error) {
		return space.TakeID[simple](k.ctx, k.sp, 1<<40, o...)
	}),
	calling("Count", matchOptions+" In Held", func(k *kit, o ...space.CountOption) (any, error) {
		return space.Count(k.ctx, k.sp, e1, o...)
	}),
	calling("Contents", matchOptions+" Max In Held Hidden", func(k *kit, o ...space.ContentsOption) (any, error) {
		for _, err := range space.Contents(k.ctx, k.sp, e1, o...) {
			return nil, err
		}
		return nil, nil
	}),
	calling("Notify", matchOptions+" For On In", func(k *kit, o ...space.NotifyOption) (any, error) {
		return space.Notify(k.ctx, k.sp, e1, o...)
	}),
	calling("Update", takeOptions, func(k *kit, o ...space.TakeOption) (any, error) {
		return space.Update(k.ctx, k.sp, e1, func(*simple) error { return nil }, o...)
	}),
	calling("Add", takeOptions, func(k *kit, o ...space.TakeOption) (any, error) {
		return space.Add(k.ctx, k.sp, e1, "id", 0, o...)
	}),
	calling("Replace", "In", func(k *kit, o ...space.TxnOption) (any, error) {
		return space.Replace(k.ctx, k.sp, 1<<40, 0, e1, o...)
	}),
	calling("Begin", "For", func(k *kit, o ...space.LeaseOption) (any, error) { return space.Begin(k.ctx, k.sp, o...) }),
	calling("Stage", "For Delay", func(k *kit, o ...space.StageOption) (any, error) {
		return nil, space.Stage(k.ctx, begin(k), e1, o...)
	}),
	calling("Prepare", readOptions, func(k *kit, o ...space.ReadOption) (any, error) {
		return space.Prepare(k.ctx, k.sp, e1, o...)
	}),
	calling("Prepared.Read", "Wait In", func(k *kit, o ...space.PreparedOption) (any, error) {
		return prepare(k, e1).Read(k.ctx, o...)
	}),
	calling("Prepared.Take", "Wait In", func(k *kit, o ...space.PreparedOption) (any, error) {
		return prepare(k, e1).Take(k.ctx, o...)
	}),
	calling("Prepared.Count", "In", func(k *kit, o ...space.TxnOption) (any, error) {
		return prepare(k, e1).Count(k.ctx, o...)
	}),
	calling("Prepared.Write", writeOptions, func(k *kit, o ...space.WriteOption) (any, error) {
		return prepare(k, e3).Write(k.ctx, o...)
	}),
}

// queryOptions: which options fit which calls is for the compiler; each call honours those that do.
func queryOptions(k *kit) {
	tx := begin(k)
	for name, option := range map[string]any{
		"For": space.For(long), "Delay": space.Delay(long), "Wait": space.Wait(0), "Where": space.Where("id", space.Eq(1)),
		"Or": space.Or(e2), "OrderBy": space.OrderBy("id"), "Max": space.Max(1), "In": space.In(tx), "Strict": space.Strict(),
		"On": space.On(space.Taken), "Held": space.Held(), "Hidden": space.Hidden(new(int)),
	} {
		for _, f := range typedCalls {
			if !slices.Contains(strings.Fields(f.fits), name) {
				continue
			}
			write(k, e1)
			if err := f.call(k, option); !errors.Is(err, space.ErrNoMatch) { // which is as good
				require.NoError(k, err, "%s of %s", name, f.name)
			}
			k.ok(tx.Rollback(k.ctx))
			drain(k, simple{})
		}
	}
}

func queryCount(k *kit) {
	writeAll(k, e1, e2, e3)
	n, err := prepare(k, simple{Name: "A"}, space.Wait(long), space.OrderBy("-id")).Count(k.ctx)
	k.ok(err)
	require.Equal(k, 2, n)
}
