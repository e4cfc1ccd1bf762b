package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gospaces/gospaces/space"
)

// usageError is a mistake of the user, in the command line or in the JSON input.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// asUsage returns err as a mistake in usage if the server finds what was asked for invalid.
func asUsage(err error) error {
	if errors.Is(err, space.ErrInvalidArgument) {
		return usageError{err}
	}
	return err
}

// operands returns a check of the number of operands, none of which may be blank; a negative number is no bound.
func operands(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := countOperands(cmd, args, least, most); err != nil {
			return err
		}
		if i := slices.IndexFunc(args, isBlank); i >= 0 {
			return usage("%s is empty", operandName(cmd, i))
		}
		return nil
	}
}

// kindOperands is operands for a command whose first operand may be "", which stands for every kind.
func kindOperands(least, most int) cobra.PositionalArgs {
	check := operands(least, most)
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 && args[0] == "" {
			args = append([]string{"every kind"}, args[1:]...)
		}
		return check(cmd, args)
	}
}

func countOperands(cmd *cobra.Command, args []string, least, most int) error {
	_, form, _ := strings.Cut(cmd.Use, " ")
	form = strings.TrimSpace(cmd.CommandPath() + " " + form)
	switch {
	case len(args) > 0 && strings.Contains(form, "JSON") && strings.HasPrefix(args[0], "{"):
		return usage("%s is missing before the JSON: %s", operandName(cmd, 0), form)
	case len(args) < least:
		return usage("%s is missing: %s", operandName(cmd, len(args)), form)
	case most >= 0 && len(args) > most:
		return usage("%q is one operand too many: %s", args[most], form)
	}
	return nil
}

// operandName returns the name of operand i in the usage line of a command; the last one may be repeated.
func operandName(cmd *cobra.Command, i int) string {
	names := strings.Fields(cmd.Use)[1:]
	if end := slices.IndexFunc(names, func(n string) bool { return strings.HasPrefix(n, "--") }); end >= 0 {
		names = names[:end]
	}
	name, _, _ := strings.Cut(strings.TrimLeft(names[min(i, len(names)-1)], "["), "[") // as of SPACE[/PARTITION]
	return strings.TrimRight(name, "].…")
}

// noOperands is the check of a command without operands. If the command has subcommands, an operand is taken for a
// misspelt one.
func noOperands(cmd *cobra.Command, args []string) error {
	if len(args) == 0 || !cmd.HasAvailableSubCommands() {
		return countOperands(cmd, args, 0, 0)
	}
	var known []string
	for _, sub := range cmd.Commands() {
		if slices.Contains(otherNames[sub.CommandPath()], args[0]) {
			return usage("unknown command %q for %q: did you mean %s?", args[0], cmd.CommandPath(), sub.CommandPath())
		}
		known = append(known, sub.Name())
	}
	return usage("unknown command %q for %q%s", args[0], cmd.CommandPath(), perhaps(cmd.CommandPath()+" ", args[0], known))
}

// otherNames maps our commands to the names that other programs have for them.
var otherNames = map[string][]string{
	"gospaces write":         {"put", "add", "insert", "out", "push", "publish", "send"},
	"gospaces read":          {"get", "rd", "find", "query", "peek", "show"},
	"gospaces take":          {"in", "pop", "delete", "remove", "rm", "del", "consume"},
	"gospaces watch":         {"subscribe", "notify", "listen", "tail", "events"},
	"gospaces kinds":         {"kind", "schema", "schemas", "tables"},
	"gospaces spaces":        {"space", "list", "ls"},
	"gospaces status":        {"info", "stats", "stat", "health", "ping", "top"},
	"gospaces serve":         {"server", "start", "run", "up", "daemon"},
	"gospaces registrations": {"registration", "listeners", "watches", "subscriptions"},
	"gospaces deadletters":   {"deadletter", "dead-letters", "dlq", "letters"},
	"gospaces txn":           {"tx", "transaction", "transactions", "begin", "commit", "abort", "rollback"},
	"gospaces renew":         {"lease", "leases", "extend"},
	"gospaces spaces create": {"add", "new", "make"},
	"gospaces spaces drop":   {"rm", "remove", "delete"},
	"gospaces kinds drop":    {"rm", "remove", "delete"},
	"gospaces txn begin":     {"start", "new", "create"},
	"gospaces txn abort":     {"rollback", "cancel", "end"},
}

// otherFlags maps our flags to the names that other programs have for them.
var otherFlags = map[string][]string{
	"lease":     {"for", "ttl", "expire", "expires"},
	"max":       {"limit", "count", "n", "number"},
	"wait":      {"timeout", "block"},
	"addr":      {"host", "port", "server", "address", "url"},
	"listen":    {"host", "port", "address", "bind", "addr"},
	"data":      {"dir", "folder", "data-dir", "path"},
	"order":     {"sort", "order-by", "orderby"},
	"where":     {"filter", "match", "query"},
	"yes":       {"force", "y"},
	"space":     {"namespace", "name"},
	"log-level": {"verbose", "v", "debug"},
}

// group makes cmd a command that only has subcommands: by itself it shows its help.
func group(cmd *cobra.Command) *cobra.Command {
	cmd.Args = noOperands
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	return cmd
}

// helpCommand returns the command that shows the help of another.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Show the help of a command",
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err != nil {
				return err
			}
			if err := noOperands(about, rest); err != nil {
				return err
			}
			about.InitDefaultHelpFlag() // which exists once the command itself has run
			return about.Help()
		},
	}
}

// flagError words a mistake in a flag.
func flagError(cmd *cobra.Command, err error) error {
	if e, ok := errors.AsType[*pflag.NotExistError](err); ok {
		if e.GetSpecifiedShortnames() != "" {
			return usage("unknown flag: -%s", e.GetSpecifiedName())
		}
		var known []string
		meant := ""
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			known = append(known, f.Name)
			if slices.Contains(otherFlags[f.Name], e.GetSpecifiedName()) &&
				(meant == "" || cmd.LocalNonPersistentFlags().Lookup(f.Name) != nil) {
				meant = f.Name
			}
		})
		if meant != "" {
			return usage("unknown flag: --%s: did you mean --%s?", e.GetSpecifiedName(), meant)
		}
		return usage("unknown flag: --%s%s", e.GetSpecifiedName(), perhaps("--", e.GetSpecifiedName(), known))
	}
	if e, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		return usage("--%s needs a value", e.GetFlag().Name)
	}
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return valueError("--"+e.GetFlag().Name, e.GetFlag(), e.GetValue(), e.Unwrap())
	}
	return usageError{err}
}

// forms describes the values of flags by type, for types whose own errors do not.
var forms = map[string]string{
	"bool":     "true or false",
	"int":      "a whole number",
	"int64":    "a whole number",
	"float64":  "a number",
	"uint64":   "a whole number",
	"intSlice": "a list of whole numbers",
	"duration": "a duration, as 500ms, 10s or 1h30m are",
	"level":    "debug, info, warn or error",
}

// valueError returns the error for an invalid value of a flag; source is where the value comes from.
func valueError(source string, f *pflag.Flag, value string, cause error) error {
	if strings.TrimSpace(value) == "" {
		return usage("%s is empty", source)
	}
	if form, ok := forms[f.Value.Type()]; ok {
		return usage("%s: %q is not %s", source, value, form)
	}
	return usage("%s: %w", source, cause)
}

// checkBlank refuses flags that were given without a value: if a script's variable is empty, the command must not do
// something else.
func checkBlank(flags *pflag.FlagSet) (err error) {
	flags.Visit(func(f *pflag.Flag) {
		values := []string{f.Value.String()}
		list, isList := f.Value.(pflag.SliceValue)
		if isList {
			values = list.GetSlice()
		}
		if err == nil && (len(values) == 0 || slices.ContainsFunc(values, isBlank)) {
			err = usage("--%s is empty", f.Name)
			if isList && len(values) > 1 {
				err = usage("a part of --%s is empty", f.Name)
			}
		}
	})
	return err
}

func isBlank(text string) bool { return strings.TrimSpace(text) == "" }

// Annotations of commands that do not ask a server, or whose global flags mean nothing: the error for --addr and
// --space.
const (
	noAddr  = "gospaces_no_addr"
	noSpace = "gospaces_no_space"
)

// checkGlobal refuses global flags on the command line of a command that would ignore them.
func checkGlobal(cmd *cobra.Command) error {
	for flag, note := range map[string]string{"addr": noAddr, "space": noSpace} {
		for c := cmd; c != nil; c = c.Parent() {
			if why, ok := c.Annotations[note]; ok && cmd.Flags().Changed(flag) {
				return usage("--%s means nothing to %s: %s", flag, c.CommandPath(), why)
			}
		}
	}
	return nil
}
