package main

import (
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
	cmd := &cobra.Command{
		Use:   "kinds",
		Short: "Print the kinds of the space, with their fields and numbers of entries",
		Long: `Print the kinds of the space, with their fields and numbers of entries: count is how many are ready, that is visible to all, held how many
are in the hands of transactions, for example of workers, and delayed how many will be visible later.`,
		Args: noOperands,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withKnownSpace(cmd.Context(), func(sp space.Space) error {
				kinds, err := sp.Kinds(cmd.Context())
				for _, k := range kinds {
					if err := a.printJSON(newKind(k)); err != nil {
						return err
					}
				}
				return err
			})
		},
	}
	cmd.AddCommand(a.dropKindCommand())
	return cmd
}

func newKind(info space.KindInfo) kind {
	k := kind{Kind: info.Schema.Kind, Count: info.Count, Held: info.Held, Later: info.Delayed, Fields: []field{}, Embeds: info.Schema.Supers}
	for _, f := range info.Schema.Fields {
		k.Fields = append(k.Fields, field{
			Name: f.Name, Class: f.Class.String(), ID: f.Role&template.ID != 0, Route: f.Role&template.Route != 0,
		})
	}
	return k
}
