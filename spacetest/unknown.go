package spacetest

import (
	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/template"
)

// Templates of kinds and fields that were never written, and kinds that go or become others.
func unknownCases() cases {
	return cases{
		{"no call that looks for entries makes its kind known", unknownStaysUnknown},                         // semantics 1.6
		{"reading with other types does not keep writers out", unknownConflict},                              // semantics 1.6
		{"reading with more fields adds none", unknownFieldsStay},                                            // semantics 1.6
		{"a call that waits for an unknown kind is served by a later write", unknownKindServed},              // semantics 1.8
		{"a call that waits for an unknown field is served by a later write", unknownFieldServed},            // semantics 1.8
		{"a registration for an unknown kind hears of a later write", unknownKindTold},                       // semantics 1.8
		{"a prepared template of an unknown kind finds what is written later", unknownPrepared},              // semantics 8.5
		{"IfExists waits for an unknown kind only while it is written under a transaction", unknownIfExists}, // semantics 4.4
		{"a wait ends when the field gets another class than it assumed", unknownContradicted},               // semantics 1.8
		{"a registration that contradicts the schema hears nothing", unknownContradictedListener},            // semantics 1.8
		{"a kind without entries takes other classes", reclassEmpty},                                         // semantics 1.6
		{"a kind with invisible entries does not", reclassHidden},                                            // semantics 1.6
		// semantics 1.12
		{"a kind that was dropped may come back as another", dropAndReturn},
		// semantics 1.12
		{"waits and registrations go on for the name of a dropped kind", dropUnderWaiters},
		// semantics 1.12
		{"a kind in use is not dropped", dropInUse},
		{"a transaction may look for unknown kinds, while it is open", unknownUnderTxn},
	}
}

func kinds(k *kit) []string {
	k.Helper()
	infos, err := k.sp.Kinds(k.ctx)
	k.ok(err)
	names := []string{}
	for _, i := range infos {
		names = append(names, i.Schema.Kind)
	}
	return names
}

// fields returns the fields that the space has for a kind.
func fields(k *kit, kind string) []template.Field {
	k.Helper()
	infos, err := k.sp.Kinds(k.ctx)
	k.ok(err)
	for _, i := range infos {
		if i.Schema.Kind == kind {
			return i.Schema.Fields
		}
	}
	return nil
}

// lookEverywhere makes every call that looks for entries like v, none of which it must find.
func lookEverywhere[T any](k *kit, v T, opts ...space.MatchOption) {
	k.Helper()
	absent(k, v, as[absentOption](opts)...)
	for _, err := range space.Contents(k.ctx, k.sp, v, as[space.ContentsOption](opts)...) {
		k.ok(err)
		k.Fatal("there is nothing")
	}
	_, err := space.TakeAll(k.ctx, k.sp, v, 5, append(as[space.TakeOption](opts), space.NoWait())...)
	k.fails(space.ErrNoMatch, err)
	_, _, err = space.TakeTxn(k.ctx, k.sp, v, append(as[space.TakeTxnOption](opts), space.NoWait())...)
	k.fails(space.ErrNoMatch, err)
	_, err = space.ReadID[T](k.ctx, k.sp, 1<<40)
	k.fails(space.ErrNoMatch, err)
	_, err = space.Read(k.ctx, k.sp, v, append(as[space.ReadOption](opts), space.Wait(brief))...)
	k.fails(space.ErrNoMatch, err)
	_, err = space.Update(k.ctx, k.sp, v, func(*T) error { return nil },
		append(as[space.TakeOption](opts), space.NoWait())...)
	k.fails(space.ErrNoMatch, err)
	p, err := space.Prepare(k.ctx, k.sp, v, as[space.ReadOption](opts)...)
	k.ok(err)
	_, err = p.TakeIfExists(k.ctx)
	k.fails(space.ErrNoMatch, err)
	q, err := space.Match(k.ctx, k.sp, v)
	k.ok(err)
	n, err := k.sp.Count(k.ctx, q)
	k.ok(err)
	require.Zero(k, n)
	r, err := space.Notify(k.ctx, k.sp, v, as[space.NotifyOption](opts)...)
	k.ok(err)
	k.ok(r.Close())
}

func unknownStaysUnknown(k *kit) {
	lookEverywhere(k, simple{})
	lookEverywhere(k, simple{Name: "A"})
	lookEverywhere(k, simple{}, space.Where("id", space.Gt(3)), space.Where("more", space.Eq("x")))
	require.Empty(k, kinds(k))
	_, err := space.Take(k.ctx, k.sp, simple{}, space.OrderBy("id", "-more"), space.NoWait())
	k.fails(space.ErrNoMatch, err)
	require.Empty(k, kinds(k))
	write(k, e1)
	require.Equal(k, []string{k.kindOf(simple{})}, kinds(k))
	require.Len(k, fields(k, k.kindOf(simple{})), 2)
}

func unknownConflict(k *kit) {
	lookEverywhere(k, conflicting{"1"})
	lookEverywhere(k, conflicting{})
	write(k, first{1})
	_, err := space.Read(k.ctx, k.sp, conflicting{}, space.NoWait())
	k.fails(space.ErrSchemaConflict, err)
	require.Equal(k, first{1}, take(k, first{1}))
}

func unknownFieldsStay(k *kit) {
	write(k, first{1})
	require.Equal(k, second{A: 1}, read(k, second{}))
	require.Equal(k, third{A: 1}, read(k, third{A: 1}))
	absent(k, second{B: "x"})
	require.Equal(k, 1, count(k, third{}, space.Where("c", space.IsNull())))
	require.Len(k, fields(k, "generation"), 1)
	n, err := space.Add(k.ctx, k.sp, third{}, "a", 4)
	k.ok(err)
	require.EqualValues(k, 5, n)
	require.Len(k, fields(k, "generation"), 1)
	_, err = space.Update(k.ctx, k.sp, second{}, func(s *second) error { s.B = "new"; return nil })
	k.ok(err)
	require.Len(k, fields(k, "generation"), 2, "an update writes")
	require.Equal(k, second{5, "new"}, take(k, second{B: "new"}))
}

func unknownKindServed(k *kit) {
	reader := startFind(k, verbs[0], third{}, space.Where("a", space.Gt(5)))
	taker := startFind(k, verbs[2], second{B: "seven"})
	ordered := startFind(k, verbs[0], third{A: 7}, space.OrderBy("-c"))
	if !k.parked(3) {
		return
	}
	write(k, second{5, "five"})
	write(k, third{"seven", 1.5, 7})
	require.Equal(k, third{"seven", 1.5, 7}, reader.result(k))
	require.Equal(k, third{"seven", 1.5, 7}, ordered.result(k))
	require.Equal(k, second{7, "seven"}, taker.result(k))
	require.Equal(k, 1, k.total())
}

func unknownFieldServed(k *kit) {
	write(k, first{7})
	taker := startFind(k, verbs[2], second{A: 7, B: "seven"})
	k.parked(1)
	write(k, first{7})
	write(k, third{"seven", 2, 8})
	write(k, third{"seven", 2, 7})
	require.Equal(k, second{7, "seven"}, taker.result(k))
	require.Equal(k, 3, k.total())
}

func unknownKindTold(k *kit) {
	r, err := space.Notify(k.ctx, k.sp, second{B: "x"})
	k.ok(err)
	defer r.Close()
	write(k, first{1})
	write(k, third{"x", 1, 2})
	e, err := r.Next(k.ctx)
	k.ok(err)
	v, err := space.Decode[second](e.Entry)
	k.ok(err)
	require.Equal(k, second{2, "x"}, v)
	require.EqualValues(k, r.Start()+1, e.Seq)
}

func unknownPrepared(k *kit) {
	p, err := space.Prepare(k.ctx, k.sp, second{B: "x"}, space.Where("c", space.Ge(1.5)))
	k.ok(err)
	write(k, first{1})
	_, err = p.Read(k.ctx, space.NoWait())
	k.fails(space.ErrNoMatch, err)
	write(k, third{"x", 1.5, 2})
	found, err := p.Take(k.ctx, space.NoWait())
	k.ok(err)
	require.Equal(k, second{2, "x"}, found)
	_, err = p.Write(k.ctx)
	k.ok(err)
	require.Equal(k, third{B: "x"}, take(k, third{B: "x"}))
}

func unknownIfExists(k *kit) {
	_, err := space.TakeIfExists(k.ctx, k.sp, second{B: "x"})
	k.fails(space.ErrNoMatch, err)
	t := begin(k)
	write(k, third{"x", 1, 2}, space.In(t))
	taker := startFind(k, verbs[3], second{B: "x"})
	k.parked(1)
	k.ok(t.Commit(k.ctx))
	require.Equal(k, second{2, "x"}, taker.result(k))
}

func unknownContradicted(k *kit) {
	byKind := startFind(k, verbs[2], conflicting{})
	byValue := startFind(k, verbs[0], conflicting{"1"})
	foreign := startFind(k, verbs[0], simple{}, space.Or(conflicting{"1"}))
	if !k.parked(3) {
		return
	}
	write(k, first{1})
	for _, p := range []*pending[conflicting]{byKind, byValue} {
		_, err := p.wait()
		k.fails(space.ErrSchemaConflict, err)
	}
	_, err := foreign.wait()
	k.fails(space.ErrSchemaConflict, err)
	require.Equal(k, 1, k.total(), "nothing was taken")
}

func unknownContradictedListener(k *kit) {
	r, err := space.Notify(k.ctx, k.sp, conflicting{"1"})
	k.ok(err)
	defer r.Close()
	write(k, first{1})
	take(k, first{1})
	write(k, conflicting{"1"}) // the kind was empty
	e, err := r.Next(k.ctx)
	k.ok(err)
	require.EqualValues(k, r.Start()+1, e.Seq)
	v, err := space.Decode[conflicting](e.Entry)
	k.ok(err)
	require.Equal(k, conflicting{"1"}, v)
}

func reclassEmpty(k *kit) {
	k.needOnePartition()
	write(k, first{1})
	_, err := space.Write(k.ctx, k.sp, conflicting{"1"})
	k.fails(space.ErrSchemaConflict, err)
	take(k, first{1})
	write(k, conflicting{"1"})
	for range 2 {
		_, err = space.Write(k.ctx, k.sp, first{2})
		k.fails(space.ErrSchemaConflict, err)
		_, err = space.WriteAll(k.ctx, k.sp, []first{{2}})
		k.fails(space.ErrSchemaConflict, err)
		_, err = space.Read(k.ctx, k.sp, first{}, space.NoWait())
		k.fails(space.ErrSchemaConflict, err)
	}
	require.Equal(k, conflicting{"1"}, take(k, conflicting{"1"}))
	waiter := startFind(k, verbs[2], conflicting{"3"})
	k.parked(1)
	write(k, first{3})
	_, err = waiter.wait()
	k.fails(space.ErrSchemaConflict, err)
	require.Equal(k, []first{{3}}, drain(k, first{}))
}

func reclassHidden(k *kit) {
	write(k, first{1}, space.Delay(long))
	_, err := space.Write(k.ctx, k.sp, conflicting{"1"})
	k.fails(space.ErrSchemaConflict, err)
	t := begin(k)
	write(k, e1, space.In(t))
	_, err = k.sp.Register(k.ctx,
		&template.Schema{Kind: k.kindOf(simple{}), Fields: []template.Field{{Name: "id", Class: template.String}}})
	k.fails(space.ErrSchemaConflict, err)
	k.ok(t.Abort(k.ctx))
	_, err = k.sp.Register(k.ctx,
		&template.Schema{Kind: k.kindOf(simple{}), Fields: []template.Field{{Name: "id", Class: template.String}}})
	k.ok(err)
}

func dropAndReturn(k *kit) {
	k.needOnePartition()
	write(k, second{1, "one"})
	take(k, second{})
	k.ok(k.sp.Drop(k.ctx, "generation"))
	require.Empty(k, kinds(k))
	absent(k, second{B: "one"})
	// Another order of fields, while the type that was written before stays in use.
	write(k, third{"two", 2, 2})
	require.Equal(k, "b", fields(k, "generation")[0].Name)
	write(k, second{3, "three"})
	_, err := space.WriteAll(k.ctx, k.sp, []first{{4}})
	k.ok(err)
	require.Equal(k, []third{{"two", 2, 2}, {"three", 0, 3}, {A: 4}}, drain(k, third{}))
	k.ok(k.sp.Drop(k.ctx, "generation"))
	write(k, conflicting{"x"})
	require.Equal(k, conflicting{"x"}, take(k, conflicting{"x"}))
}

func dropUnderWaiters(k *kit) {
	write(k, second{1, "one"})
	take(k, second{})
	taker := startFind(k, verbs[2], second{B: "two"})
	k.parked(1)
	r, err := space.Notify(k.ctx, k.sp, second{A: 2})
	k.ok(err)
	defer r.Close()
	k.ok(k.sp.Drop(k.ctx, "generation"))
	write(k, third{"two", 2, 2})
	require.Equal(k, second{2, "two"}, taker.result(k))
	e, err := r.Next(k.ctx)
	k.ok(err)
	v, err := space.Decode[third](e.Entry)
	k.ok(err)
	require.Equal(k, third{"two", 2, 2}, v)
}

func dropInUse(k *kit) {
	k.fails(space.ErrNoMatch, k.sp.Drop(k.ctx, "generation"))
	write(k, first{1}, space.Delay(long))
	k.fails(space.ErrKindInUse, k.sp.Drop(k.ctx, "generation"))
	_, err := k.sp.Register(k.ctx, schemaOf("raw", nil, "a"))
	k.ok(err)
	_, err = k.sp.Register(k.ctx, schemaOf("above", []string{"raw"}, "a", "b"))
	k.ok(err)
	k.fails(space.ErrKindInUse, k.sp.Drop(k.ctx, "raw"))
	k.ok(k.sp.Drop(k.ctx, "above"))
	k.ok(k.sp.Drop(k.ctx, "raw"))
}

func unknownUnderTxn(k *kit) {
	t := begin(k)
	_, err := space.Take(k.ctx, k.sp, first{1}, space.In(t), space.NoWait())
	k.fails(space.ErrNoMatch, err)
	write(k, first{1}, space.In(t))
	require.Equal(k, first{1}, read(k, first{1}, space.In(t)))
	k.ok(t.Abort(k.ctx))
	_, err = space.Take(k.ctx, k.sp, optional{}, space.In(t), space.NoWait())
	k.fails(space.ErrTxnEnded, err)
	_, err = space.Count(k.ctx, k.sp, optional{}, space.In(t))
	k.fails(space.ErrTxnEnded, err)
}
