package space

import (
	"context"
	"iter"

	"github.com/gospaces/gospaces/space/codec"
)

// Contents yields every entry that matches template and is visible for the whole iteration, exactly once each and in no
// particular order; entries that come or go meanwhile may or may not be among them, and entries written meanwhile are
// not, so a loop that writes ends. Under a transaction each entry is locked for reading when it is yielded, which takes
// a call for each. Large results stream.
//
// An entry that T cannot hold is yielded as an *UnusableEntryError, and the iteration goes on. Any other error is the
// last thing yielded: the iteration could not be completed.
func Contents[T any](ctx context.Context, sp Space, template T, opts ...ContentsOption) iter.Seq2[T, error] {
	return contents(ctx, sp, template, opts, plain[T])
}

// contents yields the entries that match, each set by set.
func contents[T, R any](ctx context.Context, sp Space, template T, opts []ContentsOption,
	set func(*R, *codec.Codec, *Entry) error,
) iter.Seq2[R, error] {
	return func(yield func(R, error) bool) {
		var none R
		template := template // each iteration compiles its own
		known, q, err := query(ctx, sp, &template, opts)
		if err != nil {
			yield(none, err)
			return
		}
		left := q.Max // 0 without Max, and then never 0 again
		for e, err := range sp.Contents(ctx, q) {
			if err != nil {
				yield(none, err)
				return
			}
			var v R
			err = set(&v, known, &e)
			if !yield(v, err) {
				return
			}
			if left--; left == 0 {
				return
			}
		}
	}
}
