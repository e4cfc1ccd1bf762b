package random

import "github.com/gospaces/gospaces/spacetest/history"

// Item is the entry of random calls. V counts its updates. In a space of several partitions all items of a key are in
// one of these, so that the oldest is known.
type Item struct {
	Key         int `space:"key,route"`
	Color, N, V int
	Pad         string
}

// ItemOf returns the entry of an item of the history.
func ItemOf(i history.Item, pad string) Item { return Item{i.Key, i.Color, i.N, i.V, pad} }

// Plain returns the item as it is in the history.
func (v Item) Plain() history.Item { return history.Item{Key: v.Key, Color: v.Color, N: v.N, V: v.V} }

// Example returns the template for the items that p selects.
func Example(p history.Pattern) Item { return Item{Key: p.Key, Color: p.Color, N: p.N} }

// Plain returns items as they are in the history.
func Plain(vs []Item) []history.Item {
	items := make([]history.Item, len(vs))
	for i, v := range vs {
		items[i] = v.Plain()
	}
	return items
}
