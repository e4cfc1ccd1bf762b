package space

import (
	"reflect"
	"strings"
	"time"
)

// Option says more about one call. An option that has no meaning for the call it is given to, or that can never be
// right, makes the call return ErrInvalidArgument and change nothing. Options may be used for many calls.
type Option func(*typedCall)

// For asks for a lease of d; the space may grant less, and does so for one that would end after the year 2262. Without
// it entries are leased Forever; registrations, see Notify.
func For(d time.Duration) Option {
	return func(c *typedCall) {
		c.given |= optFor
		c.lease = d
		if d < 0 {
			c.reject(invalid("lease %v is negative", d))
		}
	}
}

// Delay makes what is written visible only after d: until then it is as if it were not there. It then counts as written, and its lease
// begins to run. The longest is MaxDelay.
func Delay(d time.Duration) Option {
	return func(c *typedCall) {
		c.given |= optDelay
		c.delay = d
		c.reject(checkDelay(d))
	}
}

// checkDelay returns ErrInvalidArgument for a delay that no call may ask for.
func checkDelay(d time.Duration) error {
	switch {
	case d < 0:
		return invalid("delay %v is negative", d)
	case d > MaxDelay:
		return invalid("delay %v is longer than %v, 100 years", d, MaxDelay)
	}
	return nil
}

// In has the call made under a transaction. The transaction must have begun in the space of the call or in another one of the same
// server, with the same client; TxnOf takes up those of others.
func In(t *Txn) Option {
	return func(c *typedCall) {
		c.given |= optIn
		c.txn = t
		if t == nil {
			c.reject(invalid("the transaction is nil"))
		}
	}
}

// On asks for events of these types instead of Written.
func On(types ...EventType) Option {
	return func(c *typedCall) {
		c.given |= optOn
		c.on |= EventTypes(types...)
		if len(types) == 0 {
			c.reject(invalid("no type of event is asked for"))
		}
		for _, t := range types {
			if !t.asked() {
				c.reject(invalid("events of type %v cannot be asked for", t))
			}
		}
	}
}

// Wait bounds the time a call waits for a match; 0 means not at all. Without it the call waits until its context ends. A call that finds no
// connection to its server returns ErrUnavailable when its wait, and client.Config.Grace (2 s), are over. A take that was sent, and whose answer was lost,
// returns what it took however long it takes to learn that: only its context ends it before.
func Wait(d time.Duration) Option {
	return func(c *typedCall) {
		c.given |= optWait
		c.wait, c.noWait = d, d == 0
		if d < 0 {
			c.reject(invalid("wait %v is negative", d))
		}
	}
}

// NoWait makes a call return ErrNoMatch at once when nothing matches. It is Wait(0).
func NoWait() Option { return Wait(0) }

// Where adds a condition on the named field (its name in the space, not in Go). Several conditions must all hold. A
// condition belongs to the template before it: the call's own, or that of the Or it follows.
func Where(field string, criterion Criterion) Option {
	return func(c *typedCall) {
		c.given |= optWhere
		last := &c.parts[len(c.parts)-1]
		last.where = append(last.where, clause{field, criterion})
	}
}

// Or adds a further template, of any struct type: an entry matches if one of them does. A typed call returns
// an *UnusableEntryError for a match that its own type cannot hold.
func Or[T any](template T) Option {
	return func(c *typedCall) {
		c.given |= optOr
		c.parts = append(c.parts, part{goType: reflect.TypeFor[T](), value: template})
	}
}

// OrderBy asks for the first match by these fields, instead of the oldest; a field with "-" before it descends. Null
// comes before every value. Equals come in the order in which they were written. It cannot be combined with Or.
func OrderBy(fields ...string) Option {
	return func(c *typedCall) {
		c.given |= optOrder
		c.order = append(c.order, fields...)
	}
}

// Max bounds how many entries a bulk call returns, or an iteration yields, to n.
func Max(n int) Option {
	return func(c *typedCall) {
		c.given |= optMax
		c.max = n
		if n <= 0 {
			c.reject(invalid("max %d is not positive", n))
		}
	}
}

// Held makes a read, a count or an iteration find what is being worked on: the entries that open transactions have
// taken, of any client, and no others. They stay with their holders: the call locks nothing,
// never waits, and cannot be made under a transaction. The entries that the methods of Space return tell their holders
// (Entry.Held). Every entry that is returned was held at the end of the call; of very many that are held, those that
// were taken during the call may be missing.
func Held() Option {
	return func(c *typedCall) { c.given |= optHeld }
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
func Hidden(n *int) Option {
	return func(c *typedCall) {
		c.given |= optHidden
		c.hidden = n
		if n == nil {
			c.reject(invalid("there is no place for the number of hidden entries"))
		}
	}
}

// Strict makes a call refuse entries that its type would lose something of: one that has a value in a field which the type lacks is an
// *UnusableEntryError, as one that the type cannot hold. Without it such values are left out, so that programs of
// different versions get along; Update and Replace keep them. With work.Run such a job becomes a dead letter.
func Strict() Option {
	return func(c *typedCall) { c.given |= optStrict }
}

// optionSet is a set of sorts of options.
type optionSet uint32

const (
	optFor optionSet = 1 << iota
	optWait
	optWhere
	optOr
	optOrder
	optMax
	optDelay
	optIn
	optOn
	optStrict
	optHeld
	optHidden

	optWrite = optFor | optDelay | optIn
	optMatch = optWhere | optOr | optStrict          // which entries match, and how they are returned
	optFind  = optMatch | optOrder | optWait | optIn // what calls that look for one entry take
)

// String names the options of the set.
func (s optionSet) String() string {
	var names []string
	for i, name := range [...]string{
		"For", "Wait", "Where", "Or", "OrderBy", "Max", "Delay", "In", "On", "Strict", "Held", "Hidden",
	} {
		if s&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}
