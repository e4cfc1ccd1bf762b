package main

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// envAnnotation marks a flag whose value may come from the environment.
const envAnnotation = "gospaces_env"

const envPrefix = "GOSPACES_"

// envName returns the environment variable of a flag: GOSPACES_MAX_ENTRY for max-entry.
func envName(flag string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// fromEnvironment lets every flag of the set take its value from its environment variable, and adds that to its help.
func fromEnvironment(flags *pflag.FlagSet) {
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Annotations == nil {
			f.Annotations = make(map[string][]string)
		}
		f.Annotations[envAnnotation] = []string{envName(f.Name)}
		f.Usage += " (" + envName(f.Name) + ")"
	})
}

// zeroAnnotation marks a flag whose value may be 0.
const zeroAnnotation = "gospaces_zero"

// mayBeZero marks flags of numbers that may be 0.
func mayBeZero(flags *pflag.FlagSet, names ...string) {
	for _, name := range names {
		if err := flags.SetAnnotation(name, zeroAnnotation, []string{}); err != nil {
			panic(err) // there is no such flag
		}
	}
}

// checkNumbers refuses negative numbers and durations, and 0 unless it is a value of its own: a node would take it for
// its default.
func checkNumbers(flags *pflag.FlagSet) (err error) {
	flags.VisitAll(func(f *pflag.Flag) {
		switch f.Value.Type() {
		case "int", "int64", "float64", "duration":
		default:
			return
		}
		_, zero := f.Annotations[zeroAnnotation]
		value := f.Value.String()
		switch {
		case err != nil:
		case zero && value[0] == '-':
			err = usage("--%s must not be negative", f.Name)
		case !zero && (value[0] == '-' || value == "0" || value == "0s"):
			err = usage("--%s must be positive", f.Name)
		}
	})
	return err
}

// settle sets every setting that the command line leaves open: from the environment, or else from file, or else by
// default.
func settle(flags *pflag.FlagSet, env environment, file map[string]string) error {
	var first error
	flags.VisitAll(func(f *pflag.Flag) {
		name := f.Annotations[envAnnotation]
		if f.Changed || name == nil || first != nil {
			return
		}
		source, value := "$"+name[0], env[name[0]]
		if isBlank(value) {
			source, value = "the file's "+f.Name, file[f.Name]
		}
		if isBlank(value) {
			return
		}
		if err := f.Value.Set(value); err != nil {
			first = valueError(source, f, value, err)
		}
	})
	return first
}

// readSettings reads a file of "name = value" lines, whose names are those of flags. Empty lines and lines
// that begin with # are comments.
func readSettings(path string, flags *pflag.FlagSet) (map[string]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	settings := make(map[string]string)
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		name = strings.TrimSpace(name)
		if !ok {
			return nil, fmt.Errorf("%s:%d: not of the form name = value", path, n)
		}
		if flag := flags.Lookup(name); flag == nil || flag.Annotations[envAnnotation] == nil {
			known := settingNames(flags)
			return nil, fmt.Errorf("%s:%d: there is no setting %q%s; there are %s",
				path, n, name, perhaps("", name, known), strings.Join(known, ", "))
		}
		settings[name] = strings.TrimSpace(value)
	}
	return settings, lines.Err()
}

// settingNames lists the flags that are settings.
func settingNames(flags *pflag.FlagSet) []string {
	names := make(map[string]bool)
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Annotations[envAnnotation] != nil {
			names[f.Name] = true
		}
	})
	return slices.Sorted(maps.Keys(names))
}
