package memory_test

import (
	"context"
	"fmt"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/space/memory"
)

type Parcel struct{ Item string }

// A transaction moves an entry from one space to another: it is in one of them, never in both or in none.
func ExampleGroup() {
	ctx := context.Background()
	g := memory.NewGroup(memory.Config{})
	defer g.Close()
	inbox, archive := g.Space("inbox"), g.Space("archive")
	if _, err := space.Write(ctx, inbox, Parcel{Item: "lamp"}); err != nil {
		fmt.Println(err)
		return
	}

	order, t, err := space.TakeTxn(ctx, inbox, Parcel{})
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := space.Write(ctx, archive, order, space.In(t)); err != nil {
		fmt.Println(err)
		return
	}
	if err := t.Commit(ctx); err != nil {
		fmt.Println(err)
		return
	}

	left, _ := space.Count(ctx, inbox, Parcel{})
	kept, _ := space.Count(ctx, archive, Parcel{})
	fmt.Println(left, kept)
	// Output: 0 1
}
