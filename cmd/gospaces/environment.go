package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// environment has the variables of a process, by name. An empty one counts as not set.
type environment map[string]string

// newEnvironment reads variables of the form NAME=value.
func newEnvironment(variables []string) environment {
	env := environment{}
	for _, v := range variables {
		name, value, _ := strings.Cut(v, "=")
		env[name] = value
	}
	return env
}

// check refuses variables that look like settings but belong to no command: they are misspelt, or of another version.
func (env environment) check(root *cobra.Command) error {
	var known []string
	visitSettings(root, func(f *pflag.Flag) { known = append(known, envName(f.Name)) })
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if strings.HasPrefix(name, envPrefix) && env[name] != "" && !slices.Contains(known, name) {
			return usage("there is no setting $%s%s", name, perhaps("$", name, known))
		}
	}
	return nil
}

// visitSettings calls fn for the flags of cmd and the commands below that may come from the environment.
func visitSettings(cmd *cobra.Command, fn func(*pflag.Flag)) {
	for _, flags := range []*pflag.FlagSet{cmd.Flags(), cmd.PersistentFlags()} {
		flags.VisitAll(func(f *pflag.Flag) {
			if f.Annotations[envAnnotation] != nil {
				fn(f)
			}
		})
	}
	for _, sub := range cmd.Commands() {
		visitSettings(sub, fn)
	}
}
