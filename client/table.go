package client

// table holds the calls in flight by number. Numbers rise but need not be consecutive: a number's lowest bits are its
// slot, so nothing has to be searched. Repeated calls have old numbers, and no slot. The link's lock guards it.
type table struct {
	slots    []*pendingCall // a power of two, at most half of them used
	repeated map[uint64]*pendingCall
	n        int // of both
	numbers  *numbers
	next     uint64 // the last number issued
	end      uint64 // the end of the block that next is in
}

// add gives c a number.
func (t *table) add(c *pendingCall) {
	if 2*(t.n+1) > len(t.slots) {
		t.grow()
	}
	mask := uint64(len(t.slots) - 1)
	for t.advance(); t.slots[t.next&mask] != nil; t.advance() {
	}
	c.number = t.next
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

// addAgain adds a call that has a number.
func (t *table) addAgain(c *pendingCall) {
	if t.repeated == nil {
		t.repeated = map[uint64]*pendingCall{}
	}
	t.repeated[c.number] = c
	t.n++
}

// grow doubles the slots. Calls with different slots keep different slots.
func (t *table) grow() {
	old := t.slots
	t.slots = make([]*pendingCall, max(64, 2*len(old)))
	for _, c := range old {
		if c != nil {
			t.slots[c.number&uint64(len(t.slots)-1)] = c
		}
	}
}

// get returns the call with a number, or nil.
func (t *table) get(number uint64) *pendingCall {
	if len(t.slots) == 0 {
		return nil
	}
	if c := t.slots[number&uint64(len(t.slots)-1)]; c != nil && c.number == number {
		return c
	}
	return t.repeated[number]
}

// remove removes the call with a number and returns it, or nil.
func (t *table) remove(number uint64) *pendingCall {
	c := t.get(number)
	if c == nil {
		return nil
	}
	t.n--
	if i := number & uint64(len(t.slots)-1); t.slots[i] == c {
		t.slots[i] = nil
	} else if delete(t.repeated, number); len(t.repeated) == 0 {
		t.repeated = nil
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
	for _, c := range t.repeated {
		calls = append(calls, c)
	}
	return calls
}
