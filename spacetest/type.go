package spacetest

import (
	"context"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
)

func typeCases() cases {
	return cases{
		{"a template of an embedded kind matches the outer kinds", typeSupers},          // semantics 1.3
		{"what comes back is the concrete entry, all fields included", typeConcrete},    // semantics 1.3
		{"fields that the outer kind adds are wildcards", typeAddedFields},              // semantics 1.3
		{"a template of an outer kind does not match the inner kind", typeNotSubs},      // semantics 1.3
		{"siblings do not match each other", typeNotSiblings},                           // semantics 1.3
		{"unrelated kinds with equal fields do not match each other", typeNotUnrelated}, // semantics 1.3
		{"bulk reads by an embedded kind find own and outer ones", typeBulk},            // semantics 1.3
		{"conditions and orderings work on embedded kinds", typeConditions},
		{"waiting calls are served by outer kinds", typeWaiting},
		{"a kind that embeds two kinds is one of both", typeTwoSupers},
		{"a kind that begins to embed another serves the calls that wait for that", typeBeginsToEmbed}, // semantics 1.3, 3.4
		{"a kind that begins to embed another is no event", typeBeginsToEmbedQuietly},                  // semantics 7.1
		{"fields of one name in several layers are one field", typeCountOnce},
		{"a kind that was never written finds none, and is found once it is written", typeNeverWritten}, // semantics 1.8
		{"kinds are listed with their schemas and counts", typeKinds},
		{"a kind has a stable name, whatever the Go type is called", typeNames}, // semantics 1.1
	}
}

// A hierarchy three deep, with siblings. Go promotes Kind methods, and names of kinds are derived, so none is needed.
type vehicle struct {
	Plate  string
	Wheels int
}

type car struct {
	vehicle
	Doors int
}

type van struct {
	car
	Load float64
}

type bike struct {
	vehicle
	Gears int
}

var (
	aVehicle = vehicle{"V", 2}
	aCar     = car{vehicle{"C", 4}, 5}
	aVan     = van{car{vehicle{"N", 4}, 3}, 1.5}
	aBike    = bike{vehicle{"B", 2}, 21}
)

// fleet writes one entry of each kind.
func fleet(k *kit) {
	write(k, aVehicle)
	write(k, aCar)
	write(k, aVan)
	write(k, aBike)
}

func typeSupers(k *kit) {
	write(k, aVan)
	require.Equal(k, aVan.vehicle, read(k, vehicle{}))
	require.Equal(k, aVan.vehicle, read(k, vehicle{Plate: "N"}))
	require.Equal(k, aVan.car, read(k, car{Doors: 3}))
	require.Equal(k, aVan.car, read(k, car{vehicle: vehicle{Wheels: 4}}))
	require.Equal(k, aVan, read(k, van{car: car{vehicle: vehicle{Plate: "N"}}}))
	absent(k, vehicle{Plate: "C"})
	absent(k, car{Doors: 4})
	require.Equal(k, aVan.vehicle, take(k, vehicle{}))
	absent(k, van{})
}

func typeConcrete(k *kit) {
	write(k, aVan)
	entries, err := k.sp.Take(k.ctx, k.match(vehicle{Wheels: 4}))
	k.ok(err)
	require.Equal(k, "van", entries[0].Kind())
	require.Equal(k, map[string]any{"plate": "N", "wheels": int64(4), "doors": int64(3), "load": 1.5}, entries[0].Fields())
	v, err := space.Decode[van](entries[0])
	k.ok(err)
	require.Equal(k, aVan, v)
	c, err := space.Decode[car](entries[0])
	k.ok(err)
	require.Equal(k, aVan.car, c)
}

func typeAddedFields(k *kit) {
	other := aVan
	other.Load, other.Doors = 99, 7
	write(k, aVan)
	write(k, other)
	require.Equal(k, 2, count(k, aVan.vehicle))
	require.Equal(k, 1, count(k, aVan.car))
	require.Equal(k, 1, count(k, aVan))
}

func typeNotSubs(k *kit) {
	write(k, aVehicle)
	absent(k, car{})
	absent(k, car{vehicle: aVehicle})
	write(k, aCar)
	absent(k, van{})
	absent(k, van{car: aCar})
	require.Equal(k, 2, k.total())
}

func typeNotSiblings(k *kit) {
	write(k, aBike)
	absent(k, car{})
	absent(k, van{})
	write(k, aCar)
	require.Equal(k, []bike{aBike}, drain(k, bike{}))
	require.Equal(k, aCar, read(k, car{}))
}

// twin has the fields of simple.
type twin struct {
	Name string
	ID   int
}

func typeNotUnrelated(k *kit) {
	write(k, e1)
	absent(k, twin(e1))
	absent(k, twin{})
	absent(k, sample())
	require.Equal(k, e1, read(k, e1))
}

func typeBulk(k *kit) {
	for i := range 10 {
		write(k, vehicle{"V", i + 1})
		write(k, car{vehicle{"C", i + 1}, 4})
		write(k, bike{vehicle{"B", i + 1}, 3})
	}
	require.Len(k, readUpTo(k, 100, vehicle{}), 30)
	require.Len(k, readUpTo(k, 100, car{}), 10)
	require.Equal(k, 3, count(k, vehicle{Wheels: 7}))
	got := readUpTo(k, 100, bike{})
	require.Len(k, got, 10)
	require.Equal(k, bike{vehicle{"B", 1}, 3}, got[0])
	require.Len(k, drain(k, vehicle{Plate: "C"}), 10)
	absent(k, car{})
}

func typeConditions(k *kit) {
	fleet(k)
	require.Equal(k, 2, count(k, vehicle{}, space.Where("wheels", space.Gt(2))))
	require.Equal(k, []vehicle{aBike.vehicle, aCar.vehicle, aVan.vehicle, aVehicle},
		drain(k, vehicle{}, space.OrderBy("plate")))
}

func typeWaiting(k *kit) {
	taker := startFind(k, verbs[2], vehicle{Wheels: 4})
	reader := startFind(k, verbs[0], car{})
	k.needParked(2)
	write(k, aVehicle)
	write(k, aBike)
	write(k, aVan)
	require.Equal(k, aVan.vehicle, taker.result(k))
	require.Equal(k, aVan.car, reader.result(k))
	absent(k, van{})
}

type boat struct{ Draught int }

type amphibian struct {
	car
	boat
}

func typeTwoSupers(k *kit) {
	v := amphibian{aCar, boat{2}}
	write(k, v)
	require.Equal(k, aCar, read(k, car{}))
	require.Equal(k, boat{2}, read(k, boat{}))
	require.Equal(k, aCar.vehicle, read(k, vehicle{}))
	absent(k, van{})
	require.Equal(k, v, take(k, amphibian{boat: boat{2}}))
	absent(k, boat{})
}

func typeCountOnce(k *kit) {
	fleet(k)
	require.Equal(k, 4, count(k, vehicle{}, space.Or(car{}), space.Or(van{}), space.Or(bike{})))
	require.Len(k, readUpTo(k, 100, vehicle{}), 4)
	require.Equal(k, 4, k.total())
}

func typeNeverWritten(k *kit) {
	absent(k, van{})
	absent(k, vehicle{})
	write(k, aVan)
	require.Equal(k, aVan.vehicle, read(k, vehicle{}))
	require.Equal(k, aVan, take(k, van{}))
	absent(k, van{})
}

func typeKinds(k *kit) {
	kinds, err := k.sp.Kinds(k.ctx)
	k.ok(err)
	for _, kind := range kinds {
		require.Zero(k, kind.Count)
	}
	fleet(k)
	write(k, aCar)
	kinds, err = k.sp.Kinds(k.ctx)
	k.ok(err)
	got := map[string]int{}
	var names []string
	for _, kind := range kinds {
		got[kind.Schema.Kind] = kind.Count
		names = append(names, kind.Schema.Kind)
	}
	require.IsIncreasing(k, names)
	require.Subset(k, got, map[string]int{"vehicle": 1, "car": 2, "van": 1, "bike": 1})
	drain(k, vehicle{})
	kinds, err = k.sp.Kinds(k.ctx)
	k.ok(err)
	for _, kind := range kinds {
		require.Zero(k, kind.Count, kind.Schema.Kind)
	}
}

// renamed is how a program might call its cars.
type renamed struct {
	Plate string `space:"plate"`
	Seats int    `space:"doors"`
	Cache string `space:"-"`
}

func (renamed) Kind() string { return "car" }

func typeNames(k *kit) {
	write(k, aCar)
	require.Equal(k, renamed{Plate: "C", Seats: 5}, read(k, renamed{Seats: 5, Cache: "not stored"}))
	write(k, renamed{Plate: "R", Seats: 1, Cache: "not stored"})
	require.Equal(k, car{vehicle{Plate: "R"}, 1}, take(k, car{Doors: 1}))
	require.Equal(k, aCar, take(k, car{}))
}

// loner is a barge of a program that knows no vehicles.
type loner struct {
	Plate string
	Tons  int
}

type barge struct {
	vehicle
	Tons int
}

func (loner) Kind() string { return "barge" }
func (barge) Kind() string { return "barge" }

func typeBeginsToEmbed(k *kit) {
	locked, free := write(k, loner{"L", 1}), write(k, loner{"F", 2})
	write(k, loner{"X", 3})
	holder := begin(k)
	_, err := space.TakeID[loner](k.ctx, k.sp, locked.ID(), space.In(holder))
	k.ok(err)
	tx := begin(k)
	reader := startFind(k, verbs[0], vehicle{Plate: "F"})
	under := startFind(k, verbs[0], vehicle{Plate: "X"}, space.In(tx))
	bulk := start(k, func(ctx context.Context) ([]vehicle, error) { return space.ReadAll(ctx, k.sp, vehicle{}, 9) })
	waiting := startFind(k, verbs[2], vehicle{Plate: "L"})
	k.needParked(4)
	first := startFind(k, verbs[2], vehicle{}, space.OrderBy("-plate"), space.Where("plate", space.Lt("X")))
	k.needParked(5)
	second := startFind(k, verbs[2], vehicle{Plate: "F"})
	k.needParked(6)

	write(k, barge{vehicle{Plate: "new"}, 9}, space.Delay(long))
	require.Equal(k, vehicle{Plate: "F"}, reader.result(k))
	require.Equal(k, vehicle{Plate: "X"}, under.result(k))
	require.Equal(k, []vehicle{{Plate: "F"}, {Plate: "X"}}, bulk.result(k))
	require.Equal(k, vehicle{Plate: "F"}, first.result(k))
	k.parked(2)
	_, err = space.TakeID[loner](k.ctx, k.sp, free.ID(), space.NoWait())
	k.fails(space.ErrNoMatch, err)
	_, err = space.Take(k.ctx, k.sp, vehicle{Plate: "X"}, space.NoWait())
	k.fails(space.ErrNoMatch, err) // the waiting read has locked it
	abort(k, holder)
	require.Equal(k, vehicle{Plate: "L"}, waiting.result(k))
	second.cancel()
	_, err = second.wait()
	k.fails(context.Canceled, err)
}

func typeBeginsToEmbedQuietly(k *kit) {
	write(k, loner{"L", 1})
	reg, err := space.Notify(k.ctx, k.sp, vehicle{}, space.On(space.Written, space.Visible, space.Available))
	k.ok(err)
	write(k, barge{vehicle{Plate: "new"}, 9})
	require.Equal(k, []vehicle{{Plate: "new"}}, next[vehicle](k, reg, reg.Start(), 1))
	require.Equal(k, 2, count(k, vehicle{}))
}
