package client

// table holds the calls in flight by the numbers of their frames. These rise but need not be consecutive: a number's
// lowest bits are its slot, so nothing has to be searched. The link's lock guards it.
type table struct {
	slots   []*pendingCall // a power of two, at most half of them used
	n       int            // in slots
	numbers *numbers
	next    uint64 // the last number issued
	end     uint64 // the end of the block that next is in
}

// add gives c a frame.
func (t *table) add(c *pendingCall) {
	if 2*(t.n+1) > len(t.slots) {
		t.grow()
	}
	mask := uint64(len(t.slots) - 1)
	for t.advance(); t.slots[t.next&mask] != nil; t.advance() {
	}
	c.frame = t.next
	t.slots[t.next&mask] = c
	t.n++
}

// advance makes next the next number. None is 0.
func (t *table) advance() {
	if t.next++; t.next >= t.end {
		first := t.numbers.block()
		t.next, t.end = max(first, 1), first+blockSize
	}
}

// grow doubles the slots. Calls with different slots keep different slots.
func (t *table) grow() {
	old := t.slots
	t.slots = make([]*pendingCall, max(64, 2*len(old)))
	for _, c := range old {
		if c != nil {
			t.slots[c.frame&uint64(len(t.slots)-1)] = c
		}
	}
}

// get returns the call with a frame, or nil.
func (t *table) get(frame uint64) *pendingCall {
	if len(t.slots) == 0 {
		return nil
	}
	if c := t.slots[frame&uint64(len(t.slots)-1)]; c != nil && c.frame == frame {
		return c
	}
	return nil
}

// remove removes the call with a frame and returns it, or nil.
func (t *table) remove(frame uint64) *pendingCall {
	c := t.get(frame)
	if c != nil {
		t.n--
		t.slots[frame&uint64(len(t.slots)-1)] = nil
	}
	return c
}

// all returns the calls in flight.
func (t *table) all() []*pendingCall {
	calls := make([]*pendingCall, 0, t.n)
	for _, c := range t.slots {
		if c != nil {
			calls = append(calls, c)
		}
	}
	return calls
}
