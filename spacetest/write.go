package spacetest

import (
	"context"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/txn"
)

func writeCases() cases {
	return cases{
		{"an entry is read back equal", writeReadBack},                           // semantics 1.1
		{"every class of field is read back equal", writeEveryClass},             // semantics 1.1
		{"zero and extreme values are read back equal", writeExtremes},           // semantics 1.1
		{"the caller's value is left alone", writeLeavesOriginal},                // semantics 1.1
		{"what the caller does to the value later does not matter", writeCopies}, // semantics 1.1
		{"fields that share memory become two copies", writeSeparatesFields},     // semantics 1.1
		{"the same value twice is two entries, whatever the leases", writeTwice}, // semantics 1.1
		{"a negative lease is refused and stores nothing", writeNegativeLease},   // semantics 6.1
		{"a lease of zero is legal and ends at once", writeZeroLease},            // semantics 6.1
		{"a thousand identical entries are a thousand entries", writeIdentical},  // semantics 1.1
		{"an entry beyond the limit is refused and not stored", writeTooLarge},   // semantics 2.1
		{"a large entry within the limit is stored", writeLarge},
		{"a call whose context has ended stores nothing", writeEndedContext}, // semantics 2.1
		{"types that cannot be stored are refused", writeBadTypes},
		{"a pointer writes what it points to", writePointer},
		{"a nil pointer is refused", writeNil}, // semantics 2.1
		{"an unknown kind is refused", writeUnknownKind},
		{"a write does not wait for a taker", writeDoesNotWait},
	}
}

func writeReadBack(k *kit) {
	write(k, e1, space.For(long))
	require.Equal(k, e1, read(k, e1))
	require.Equal(k, e1, take(k, e1))
}

func writeEveryClass(k *kit) {
	write(k, sample())
	require.Equal(k, sample(), read(k, every{}))
	require.Equal(k, sample(), take(k, sample()))
}

func writeExtremes(k *kit) {
	for _, v := range []every{
		{},
		{Int: 1<<63 - 1, Int8: 127, Uint64: 1<<64 - 1, Float64: 1.7976931348623157e308, Duration: 1<<63 - 1},
		{Int: -1 << 63, Int8: -128, Float64: 5e-324, Duration: -1 << 63, Time: time.Unix(-1<<40, 999999999).UTC()},
		{String: "\x00\xff", Bytes: []byte{0}, Strings: []string{""}, Map: map[string]int{"": 0}},
		{String: strings.Repeat("x", 70_000), Bytes: make([]byte, 300)},
	} {
		write(k, v)
		require.Equal(k, v, take(k, every{}))
	}
}

func writeLeavesOriginal(k *kit) {
	v := sample()
	write(k, v)
	write(k, &v)
	_, err := space.WriteAll(k.ctx, k.sp, []every{v, v})
	k.ok(err)
	require.Equal(k, sample(), v)
}

func writeCopies(k *kit) {
	v := sample()
	write(k, v)
	v.Bytes[0], v.Strings[0], v.Map["a"], v.Nested.Tags[0], *v.Pointer = 9, "changed", 9, "changed", 9
	require.Equal(k, sample(), read(k, every{}))
}

func writeSeparatesFields(k *kit) {
	shared := []string{"a", "b"}
	type pair struct{ First, Second []string }
	write(k, pair{shared, shared})
	got := take(k, pair{})
	require.Equal(k, pair{shared, shared}, got)
	got.First[0] = "changed"
	require.Equal(k, shared, got.Second)
}

func writeTwice(k *kit) {
	for _, opts := range [][]space.WriteOption{nil, {space.For(long)}, {space.For(space.Forever)}} {
		first, second := write(k, e1, opts...), write(k, e1, append(opts, space.For(2*long))...)
		require.NotEqual(k, first.ID(), second.ID())
		require.Equal(k, e1, take(k, e1))
		require.Equal(k, e1, take(k, e1))
		absent(k, e1)
	}
}

func writeNegativeLease(k *kit) {
	for _, d := range []time.Duration{-1, -199, -long, -1 << 63} {
		_, err := space.Write(k.ctx, k.sp, e1, space.For(d))
		k.fails(space.ErrInvalidArgument, err)
		_, err = k.sp.Write(k.ctx, txn.ID{}, []space.Draft{{Kind: k.kindOf(simple{}), Lease: d}})
		k.fails(space.ErrInvalidArgument, err)
	}
	absent(k, simple{})
}

// kindOf returns the name under which the space knows the kind of v.
func (k *kit) kindOf(v any) string {
	k.Helper()
	return k.match(v).Templates[0].Kind
}

func writeZeroLease(k *kit) {
	l := write(k, e1, space.For(0))
	absent(k, e1)
	_, err := l.Renew(k.ctx, long)
	k.fails(space.ErrLeaseEnded, err)
	require.Zero(k, l.Granted())
}

func writeIdentical(k *kit) {
	const n = 1000
	vs := make([]simple, n)
	for i := range vs {
		vs[i] = e1
	}
	writeAll(k, vs[:n/2]...)
	for _, v := range vs[n/2:] {
		write(k, v)
	}
	require.Equal(k, n, count(k, e1))
	require.Len(k, drain(k, e1), n)
	absent(k, simple{})
}

func writeTooLarge(k *kit) {
	_, err := space.Write(k.ctx, k.sp, simple{Name: strings.Repeat("x", tooMuch)})
	k.fails(space.ErrTooLarge, err)
	absent(k, simple{})
	write(k, e1) // the space is still there
	require.Equal(k, e1, take(k, simple{}))
}

func writeLarge(k *kit) {
	v := simple{Name: strings.Repeat("large ", 100_000), ID: 1}
	write(k, v)
	require.Equal(k, v, read(k, simple{ID: 1}))
	require.Equal(k, v, take(k, v))
}

func writeEndedContext(k *kit) {
	ctx, cancel := context.WithCancel(k.ctx)
	cancel()
	_, err := space.Write(ctx, k.sp, e1)
	k.fails(context.Canceled, err)
	_, err = space.WriteAll(ctx, k.sp, []simple{e1, e2})
	k.fails(context.Canceled, err)
	absent(k, simple{})
}

func writeBadTypes(k *kit) {
	_, err := space.Write(k.ctx, k.sp, struct{ C chan int }{})
	k.fails(space.ErrInvalidArgument, err)
	_, err = space.Write(k.ctx, k.sp, 7)
	k.fails(space.ErrInvalidArgument, err)
	require.Zero(k, k.total())
}

func writePointer(k *kit) {
	v := e1
	write(k, &v)
	require.Equal(k, e1, read(k, simple{}))
	require.Equal(k, &v, take(k, &simple{}))
}

func writeNil(k *kit) {
	_, err := space.Write[*simple](k.ctx, k.sp, nil)
	k.fails(space.ErrInvalidArgument, err)
	_, err = space.WriteAll(k.ctx, k.sp, []*simple{&e1, nil})
	k.fails(space.ErrInvalidArgument, err)
	absent(k, simple{})
}

func writeUnknownKind(k *kit) {
	_, err := k.sp.Write(k.ctx, txn.ID{}, []space.Draft{{Kind: "never registered", Lease: space.Forever}})
	k.fails(space.ErrInvalidArgument, err)
	require.Zero(k, k.total())
}

func writeDoesNotWait(k *kit) {
	for i := range 10 {
		write(k, simple{"A", i + 1})
	}
	require.Equal(k, 10, k.total())
}
