package engine

// roll lists members of a set in such a way that they can be walked in steps while others come and go: from the last to
// the first. When one leaves, the last of all takes its place. So a walk misses none that stays; it may meet one twice.
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
