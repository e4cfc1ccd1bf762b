package main

import (
	"encoding/json"
	"iter"

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
		line = append(template.AppendJSON(line[:0], e.Schema, e.Row), '\n')
		if _, err := a.stdout.Write(line); err != nil {
			return err
		}
	}
	return nil
}

// printJSON prints v as one JSON line.
func (a *app) printJSON(v any) error {
	enc := json.NewEncoder(a.stdout)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
