package space

import (
	"reflect"
	"time"

	"github.com/gospaces/gospaces/space/codec"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// Entry is a stored entry as the space returns it.
type Entry struct {
	ID       LeaseID // also the identity of its lease
	Schema   *template.Schema
	Row      template.Row // owned by the caller
	Version  uint32       // 1, and one more with every update
	Attempts uint32       // number of failed attempts: put back by Defer, or its holder vanished
	Died     *Death       // how the last attempt ended, if the holder vanished; nil otherwise
	Txn      *Txn         // under which it was taken, if Query.Begin began one for it
	Held     *Holder      // its holder, if Query.Held asked for that; nil otherwise
}

// Holder is the holder of an entry: it has taken the entry under an open transaction. Its times are by the clock of
// this process, and not later than when the space's answer came.
type Holder struct {
	Txn    txn.ID    // the transaction; Outcome returns its fate
	Client string    // host and process of the client that began it; "" in process, or if it began in another space
	Since  time.Time // when the entry was taken; zero if unknown: from another space, before the server was restarted
	Until  time.Time // when the transaction's lease ends unless renewed; zero if it has no end
}

// Death reports that a client vanished while it held an entry under a transaction.
type Death struct {
	Holder string    // the host and process of the client; "" for a space in process
	At     time.Time // when the space gave it up, in UTC
}

// Kind returns the name of the entry's kind.
func (e Entry) Kind() string { return e.Schema.Kind }

// Fields returns the fields that are not null, by name, as Go values that share nothing with the entry: bool, int64
// (uint64 beyond its range), float64, string, []byte, time.Time, time.Duration, []any, map[string]any.
func (e Entry) Fields() map[string]any { return e.Row.Map(e.Schema) }

// Decode sets v, a pointer to a struct of the entry's kind or of one that it embeds, to the entry. It returns an
// *UnusableEntryError if the struct cannot hold it, ErrInvalidArgument if v is no such pointer.
func (e Entry) Decode(v any) error {
	t := reflect.TypeOf(v)
	if t == nil || t.Kind() != reflect.Pointer || reflect.ValueOf(v).IsNil() {
		return invalid("decode into %v: not a pointer to a struct", t)
	}
	known, err := codec.Of(t.Elem())
	if err != nil {
		return err
	}
	return decode(known, &e, v)
}

// Decode returns the entry as a T, a struct or a pointer to one, as Entry.Decode does.
func Decode[T any](e Entry) (T, error) {
	var v T
	known, err := codec.Of(reflect.TypeFor[T]())
	if err != nil {
		return v, err
	}
	err = decode(known, &e, &v)
	return v, err
}

// decode sets v, a pointer to a value of the codec's type, to e.
func decode(known *codec.Codec, e *Entry, v any) error { return known.Decode(e.Schema, e.Row, v) }
