package main

import (
	"encoding/json"
	"iter"
	"time"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/template"
)

// printEntries prints entries as JSON lines until the first error.
func (a *app) printEntries(entries iter.Seq2[space.Entry, error]) error {
	var line []byte
	for e, err := range entries {
		if err != nil {
			return err
		}
		line = append(appendEntry(line[:0], e), '\n')
		if _, err := a.stdout.Write(line); err != nil {
			return err
		}
	}
	return nil
}

// heldBy is the printed form of an entry's holder.
type heldBy struct {
	ID     space.LeaseID `json:"id"` // of the entry
	Txn    string        `json:"txn"`
	Holder string        `json:"holder,omitempty"`
	Since  time.Time     `json:"since,omitzero"`
	Until  time.Time     `json:"until,omitzero"`
}

// appendEntry appends an entry as a JSON object, with its holder if that was asked for.
func appendEntry(dst []byte, e space.Entry) []byte {
	dst = template.AppendJSON(dst, e.Schema, e.Row)
	if e.Held == nil {
		return dst
	}
	held, err := json.Marshal(heldBy{
		ID: e.ID, Txn: e.Held.Txn.String(), Holder: e.Held.Client,
		Since: e.Held.Since.UTC().Round(time.Millisecond), Until: e.Held.Until.UTC().Round(time.Millisecond),
	})
	if err != nil {
		panic("gospaces: a holder cannot be encoded: " + err.Error()) // none of its fields can fail
	}
	dst = dst[:len(dst)-1]
	if dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	return append(append(append(dst, `"_held":`...), held...), '}')
}

// printJSON prints v as one JSON line.
func (a *app) printJSON(v any) error {
	enc := json.NewEncoder(a.stdout)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
