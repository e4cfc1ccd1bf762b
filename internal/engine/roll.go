package engine

// roll lists the members of a set so that they can be walked in steps while the set changes: from the last to the
// first. When a member leaves, the last member takes its place. A walk misses no member that stays, but may meet one
// twice.
type roll[T interface{ place() *int }] []T

func (r *roll[T]) add(x T) {
	*x.place() = len(*r)
	*r = append(*r, x)
}

func (r *roll[T]) remove(x T) {
	all := *r
	last := all[len(all)-1]
	all[*x.place()], *last.place() = last, *x.place()
	clear(all[len(all)-1:])
	*r = all[:len(all)-1]
}

// walk is a walk over a roll.
type walk[T interface{ place() *int }] struct {
	over *roll[T]
	left int
}

func newWalk[T interface{ place() *int }](over *roll[T]) walk[T] { return walk[T]{over, len(*over)} }

// next returns the next member; false at the end.
func (w *walk[T]) next() (x T, ok bool) {
	if w.left = min(w.left, len(*w.over)); w.left == 0 {
		return x, false
	}
	w.left--
	return (*w.over)[w.left], true
}
