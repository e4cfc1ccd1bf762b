package main

import (
	"bufio"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
)

// envAnnotation marks a flag whose value may come from the environment.
const envAnnotation = "gospaces_env"

// envName returns the environment variable of a flag: GOSPACES_MAX_ENTRY for max-entry.
func envName(flag string) string {
	return "GOSPACES_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// fromEnvironment lets every flag of the set take its value from its environment variable, and says so in its help.
func fromEnvironment(flags *pflag.FlagSet) {
	flags.VisitAll(func(f *pflag.Flag) {
		f.Annotations = map[string][]string{envAnnotation: {envName(f.Name)}}
		f.Usage += " (" + envName(f.Name) + ")"
	})
}

// settle gives every setting that the command line leaves open its value: from the environment, else from file, else
// it keeps its default.
func settle(flags *pflag.FlagSet, getenv func(string) string, file map[string]string) error {
	var first error
	flags.VisitAll(func(f *pflag.Flag) {
		env := f.Annotations[envAnnotation]
		if f.Changed || env == nil || first != nil {
			return
		}
		source, value := "$"+env[0], getenv(env[0])
		if value == "" {
			source, value = "the file's "+f.Name, file[f.Name]
		}
		if value == "" {
			return
		}
		if err := f.Value.Set(value); err != nil {
			if n, ok := errors.AsType[*strconv.NumError](err); ok {
				err = fmt.Errorf("no whole number: %w", n.Err)
			}
			first = fmt.Errorf("%s: %q: %w", source, value, err)
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
			return nil, fmt.Errorf("%s:%d: there is no setting %q; there are %s", path, n, name, strings.Join(settingNames(flags), ", "))
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
