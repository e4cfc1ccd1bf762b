package space

import (
	"reflect"
	"time"
)

// Each option type embeds, as nil, the interface of the calls it fits: only apply is ever called.

type leaseOption struct {
	LeaseOption
	lease time.Duration
}

// For asks for a lease of d; the space may grant less, and does so for one that would end after the year 2262. Without
// it entries are leased Forever, transactions for a minute; registrations, see Notify
// (those of Events for a minute).
func For(d time.Duration) LeaseOption { return leaseOption{lease: d} }

func (o leaseOption) apply(c *typedCall) {
	c.leased, c.lease = true, o.lease
	if o.lease < 0 {
		c.reject(invalid("lease %v is negative", o.lease))
	}
}

type delayOption struct {
	StageOption
	delay time.Duration
}

// Delay makes a written entry visible only after d. Then it counts as written, and its lease starts. The longest delay
// is MaxDelay.
func Delay(d time.Duration) StageOption { return delayOption{delay: d} }

func (o delayOption) apply(c *typedCall) {
	c.delay = o.delay
	c.reject(checkDelay(o.delay))
}

// checkDelay returns ErrInvalidArgument for an invalid delay.
func checkDelay(d time.Duration) error {
	switch {
	case d < 0:
		return invalid("delay %v is negative", d)
	case d > MaxDelay:
		return invalid("delay %v is longer than %v, 100 years", d, MaxDelay)
	}
	return nil
}

type txnOption struct {
	TxnOption
	txn *Txn
}

// In makes a call under a transaction. The transaction must have begun in the space of the call or in another one of
// the same server, with the same client; use TxnOf for transactions of other clients.
func In(t *Txn) TxnOption { return txnOption{txn: t} }

func (o txnOption) apply(c *typedCall) {
	c.txn = o.txn
	if o.txn == nil {
		c.reject(invalid("the transaction is nil"))
	}
}

type eventOption struct {
	NotifyOption
	types []EventType
}

// On requests events of these types instead of Written.
func On(types ...EventType) NotifyOption { return eventOption{types: types} }

func (o eventOption) apply(c *typedCall) {
	c.on |= EventTypes(o.types...)
	if len(o.types) == 0 {
		c.reject(invalid("no type of event is asked for"))
	}
	for _, t := range o.types {
		if !t.asked() {
			c.reject(invalid("events of type %v cannot be asked for", t))
		}
	}
}

type waitOption struct {
	WaitOption
	wait time.Duration
}

// Wait bounds the time a call waits for a match; 0 means not at all. Without it the call waits until its context ends.
// A call that finds no connection to its server returns ErrUnavailable when its wait, and client.Config.Grace (2 s),
// are over. A take that was sent, and whose answer was lost, returns what it took however long it takes to learn that:
// only its context ends it before.
func Wait(d time.Duration) WaitOption { return waitOption{wait: d} }

// NoWait makes a call return ErrNoMatch at once when nothing matches. It is Wait(0).
func NoWait() WaitOption { return Wait(0) }

func (o waitOption) apply(c *typedCall) {
	c.bounded, c.wait, c.noWait = true, o.wait, o.wait == 0
	if o.wait < 0 {
		c.reject(invalid("wait %v is negative", o.wait))
	}
}

type whereOption struct {
	MatchOption
	clause
}

// Where adds a condition on the named field (its name in the space, not in Go). Several conditions must all hold. A
// condition belongs to the template before it: the call's own, or that of the Or it follows.
//
// A field that the space does not know is no error: it is null in every entry. So a call with a misspelt name finds
// nothing, or waits until a write brings the field.
func Where(field string, criterion Criterion) MatchOption {
	return &whereOption{clause: clause{field, criterion}}
}

func (o *whereOption) apply(c *typedCall) {
	last := &c.parts[len(c.parts)-1]
	last.where = append(last.where, o.clause)
}

type orOption struct {
	MatchOption
	part
}

// Or adds a further template, of any struct type: an entry matches if one of them does. A typed call returns
// an *UnusableEntryError for a match that its own type cannot hold.
func Or[T any](template T) MatchOption {
	return &orOption{part: part{goType: reflect.TypeFor[T](), value: template}}
}

func (o *orOption) apply(c *typedCall) { c.parts = append(c.parts, o.part) }

type orderOption struct {
	SelectOption
	fields []string
}

// OrderBy asks for the first match by these fields, instead of the oldest; a field with "-" before it descends. Null
// comes before every value. Equals come in the order in which they were written. It cannot be combined with Or.
//
// A field that the kind does not have is null in all entries, so it orders nothing, and is no error: a later write may
// add it. Check a name that a user has given with Space.Schema.
func OrderBy(fields ...string) SelectOption { return orderOption{fields: fields} }

func (o orderOption) apply(c *typedCall) { c.order = append(c.order, o.fields...) }

type maxOption struct {
	ContentsOption
	max int
}

// Max limits the number of entries that an iteration yields.
func Max(n int) ContentsOption { return maxOption{max: n} }

func (o maxOption) apply(c *typedCall) {
	c.max = o.max
	if o.max <= 0 {
		c.reject(invalid("max %d is not positive", o.max))
	}
}

type heldOption struct{ HeldOption }

// Held makes a read, a count or an iteration find what is being worked on: the entries that open transactions have
// taken, of any client, and no others. They stay with their holders: the call locks nothing, never waits, and cannot be
// made under a transaction. ReadEntry, ReadEntries, Entries, and the methods of Space, tell the holders. Every entry
// that is returned was held at the end of the call; of very many that are held, those that were taken during the call
// may be missing.
func Held() HeldOption { return heldOption{} }

func (heldOption) apply(c *typedCall) { c.held = true }

type hiddenOption struct {
	HiddenOption
	n *int
}

// Hidden makes ReadAll and Contents tell what the locks of others have hidden from them: *n is set to the number of
// entries that match, were not returned, and that other transactions have taken or changed. What was never committed
// does not count. So if *n is 0 the call has seen all that there is, but for its maximum; else Held shows the entries
// that are taken, and who has them.
//
// ReadAll counts at the instant at which it reads, and does not wait: *n is also set if it returns ErrNoMatch. It is -1
// if there are more than 8,192 such locks, or that many conditions to compare with them: more than one call counts.
// Contents counts each entry at the moment at which it would yield it; *n is complete when the iteration has come to
// its end. After any other error *n means nothing. The call writes to *n until it returns.
func Hidden(n *int) HiddenOption { return hiddenOption{n: n} }

func (o hiddenOption) apply(c *typedCall) {
	c.hidden = o.n
	if o.n == nil {
		c.reject(invalid("there is no place for the number of hidden entries"))
	}
}

type strictOption struct{ MatchOption }

// Strict makes a call refuse entries that its type would lose something of: one that has a value in a field which the
// type lacks is an *UnusableEntryError, as one that the type cannot hold. Without it such values are left out, so that
// programs of different versions get along; Update and Replace keep them. With work.Run such a job becomes a dead
// letter.
func Strict() MatchOption { return strictOption{} }

func (strictOption) apply(c *typedCall) { c.strict = true }
