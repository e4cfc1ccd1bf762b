package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/template"
)

// kind is what `gospaces kinds` prints.
type kind struct {
	Kind   string   `json:"kind"`
	Count  int      `json:"count"`             // ready: visible to all
	Held   int      `json:"held,omitempty"`    // in the hands of transactions
	Later  int      `json:"delayed,omitempty"` // not visible yet
	Fields []field  `json:"fields"`
	Embeds []string `json:"embeds,omitempty"`
}

type field struct {
	Name  string `json:"name"`
	Class string `json:"class"`
	ID    bool   `json:"id,omitempty"`
	Route bool   `json:"route,omitempty"`
}

func (a *app) kindsCommand() *cobra.Command {
	cmd := a.listKindsCommand("kinds")
	cmd.AddCommand(a.listKindsCommand("list"), a.dropKindCommand())
	return cmd
}

func (a *app) listKindsCommand(name string) *cobra.Command {
	var l listing
	cmd := &cobra.Command{
		Use:   name,
		Short: "Print the kinds of the space, with their fields and numbers of entries",
		Long: `Print the kinds of the space, with their fields and numbers of entries: count is how many are ready, that is
visible to all, held how many are in the hands of transactions, for example of workers, and delayed how many
will be visible later.`,
		Args: noOperands,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withKnownSpace(cmd.Context(), func(sp space.Space) error {
				found, err := sp.Kinds(cmd.Context())
				if err != nil {
					return err
				}
				var kinds []kind
				for _, k := range found {
					kinds = append(kinds, newKind(k))
				}
				return printRows(a, &l, "KIND READY HELD DELAYED EMBEDS FIELDS", kinds, kind.cells)
			})
		},
	}
	l.add(cmd)
	return cmd
}

// cells returns k as a row of a table.
func (k kind) cells() []any {
	var fields []string
	for _, f := range k.Fields {
		fields = append(fields, f.Name+" "+f.Class)
	}
	return []any{k.Kind, k.Count, k.Held, k.Later, strings.Join(k.Embeds, ", "), strings.Join(fields, ", ")}
}

func newKind(info space.KindInfo) kind {
	k := kind{
		Kind: info.Schema.Kind, Count: info.Count, Held: info.Held, Later: info.Delayed, Fields: []field{},
		Embeds: info.Schema.Supers,
	}
	for _, f := range info.Schema.Fields {
		k.Fields = append(k.Fields, field{
			Name: f.Name, Class: f.Class.String(), ID: f.Role&template.ID != 0, Route: f.Role&template.Route != 0,
		})
	}
	return k
}
