package main

import (
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/template"
)

func (a *app) outcomeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "outcome ID",
		Short: "Print what has become of a transaction, or of a call with an unknown outcome",
		Long: `Print what has become of a transaction, or of a call with an unknown outcome: committed, aborted, undecided or
unknown. The ID is that of a transaction, SPACE/NUMBER, or of a call, SPACE/SESSION/NUMBER, as the error
"outcome unknown" names it. What a call has returned is printed too: the entries that it took, or the ids of
those that it wrote. Of a call one can ask until its client has received the outcome, or has been gone for two
minutes. A number that is no transaction's, such as that of an entry, is unknown.`,
		Example: "  gospaces outcome default/17\n  gospaces outcome default/3/4711",
		Args:    operands(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseCall(args[0])
			if err != nil {
				return usage("%q is not the id of a transaction or call: that is SPACE/NUMBER or SPACE/SESSION/NUMBER", args[0])
			}
			return a.withKnownSpace(cmd.Context(), func(sp space.Space) error {
				v, err := space.Outcome(cmd.Context(), sp, id)
				if err != nil {
					return err
				}
				return a.printJSON(newOutcome(v))
			})
		},
	}
}

// parseCall parses the id of a call, or of a transaction, with or without its space.
func parseCall(text string) (space.CallID, error) {
	if id, err := parseTxn(text); err == nil {
		if call, err := space.ParseCallID(text); err == nil {
			return call, nil
		}
		return space.TxnCall(id), nil
	}
	id, err := space.ParseCallID(text)
	if err == nil {
		err = checkSpace(id.Space)
	}
	return id, err
}

// outcome is what `gospaces outcome` prints.
type outcome struct {
	Outcome string            `json:"outcome"`
	Entries []json.RawMessage `json:"entries,omitempty"`
	Leases  []written         `json:"leases,omitempty"`
	Version uint32            `json:"version,omitempty"`
}

func newOutcome(v space.Verdict) outcome {
	o := outcome{Outcome: v.Fate.String(), Version: v.Version}
	for _, e := range v.Entries {
		o.Entries = append(o.Entries, template.AppendJSON(nil, e.Schema, e.Row))
	}
	for _, g := range v.Grants {
		lease := patience(g.Granted)
		o.Leases = append(o.Leases, written{g.ID, lease.String()})
	}
	return o
}
