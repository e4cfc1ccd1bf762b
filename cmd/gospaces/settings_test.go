package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
)

// settings is a set of two settings and a flag that is none.
func settings() (flags *pflag.FlagSet, listen *string, maxEntry *int) {
	flags = pflag.NewFlagSet("test", pflag.ContinueOnError)
	listen = flags.String("listen", ":7420", "")
	maxEntry = flags.Int("max-entry", 10, "")
	fromEnvironment(flags)
	flags.Bool("plain", false, "")
	return flags, listen, maxEntry
}

func TestSettle_FlagBeatsEnvironmentBeatsFileBeatsDefault(t *testing.T) {
	t.Parallel()
	file := map[string]string{"listen": "file"}
	env := map[string]string{"GOSPACES_LISTEN": "env", "GOSPACES_PLAIN": "true"}

	flags, listen, maxEntry := settings()
	require.NoError(t, settle(flags, getenv(nil), nil))
	require.Equal(t, ":7420", *listen)
	require.NoError(t, settle(flags, getenv(nil), file))
	require.Equal(t, "file", *listen)
	require.NoError(t, settle(flags, getenv(env), file))
	require.Equal(t, "env", *listen)
	require.NoError(t, flags.Parse([]string{"--listen", "flag"}))
	require.NoError(t, settle(flags, getenv(env), file))
	require.Equal(t, "flag", *listen)
	require.Equal(t, 10, *maxEntry)
}

func TestSettle_NamesTheSourceOfABadValue(t *testing.T) {
	t.Parallel()
	flags, _, _ := settings()
	require.ErrorContains(t, settle(flags, getenv(map[string]string{"GOSPACES_MAX_ENTRY": "ten"}), nil),
		`$GOSPACES_MAX_ENTRY: "ten" is not a whole number`)
	require.ErrorContains(t, settle(flags, getenv(nil), map[string]string{"max-entry": "ten"}),
		`the file's max-entry: "ten" is not a whole number`)
}

func TestReadSettings(t *testing.T) {
	t.Parallel()
	flags, _, _ := settings()
	read := func(text string) (map[string]string, error) {
		path := filepath.Join(t.TempDir(), "gospaces.conf")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return readSettings(path, flags)
	}
	got, err := read("# where\n\n listen = a=b \nmax-entry=5\n")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"listen": "a=b", "max-entry": "5"}, got)

	_, err = read("listen\n")
	require.ErrorContains(t, err, "gospaces.conf:1: not of the form")
	_, err = read("\nplain = true\n")
	require.ErrorContains(t, err, `gospaces.conf:2: there is no setting "plain"; there are listen, max-entry`)
	_, err = readSettings("none", flags)
	require.ErrorIs(t, err, os.ErrNotExist)
}

// A node takes 0 for its default, and is not given it by mistake.
func TestCheckNumbers_RefusesNegativeOnesAndZero(t *testing.T) {
	t.Parallel()
	zero := map[string]bool{}
	(&app{}).serveCommand().Flags().VisitAll(func(f *pflag.Flag) {
		for value, unit := range map[string]string{"int": "", "int64": "", "duration": "s"} {
			if f.Value.Type() != value {
				continue
			}
			flags := (&app{}).serveCommand().Flags()
			require.NoError(t, flags.Set(f.Name, "-1"+unit))
			require.ErrorContains(t, checkNumbers(flags), "--"+f.Name+" must ")
			require.NoError(t, flags.Set(f.Name, "0"+unit))
			zero[f.Name] = checkNumbers(flags) == nil
			require.NoError(t, flags.Set(f.Name, "1"+unit))
			require.NoError(t, checkNumbers(flags))
		}
	})
	require.True(t, zero["max-lease"])
	require.False(t, zero["max-spaces"])
}

// Every flag is documented.
func TestConfigurationPage_ListsEveryFlag(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/configuration.md")
	require.NoError(t, err)
	var visit func(*cobra.Command)
	visit = func(cmd *cobra.Command) {
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			require.Contains(t, string(page), "`--"+f.Name+"`", "flag of %s", cmd.CommandPath())
			if f.Annotations[envAnnotation] != nil {
				require.Contains(t, string(page), "`"+envName(f.Name)+"`", "flag of %s", cmd.CommandPath())
			}
		})
		for _, sub := range cmd.Commands() {
			visit(sub)
		}
	}
	visit((&app{}).command())
}

// getenv returns an environment of the given variables.
func getenv(env map[string]string) environment { return env }

// What is misspelt is not passed over in silence.
func TestSettings_UnknownOnesAreRefusedWithAHint(t *testing.T) {
	t.Parallel()
	for name, says := range map[string]string{
		"GOSPACES_LISTN":      "there is no setting $GOSPACES_LISTN: did you mean $GOSPACES_LISTEN?",
		"GOSPACES_POSTGRESS":  "did you mean $GOSPACES_POSTGRES?",
		"GOSPACES_SOMETHING":  "there is no setting $GOSPACES_SOMETHING (see `gospaces version --help`)",
		"GOSPACES_MAX_ENTRYS": "did you mean $GOSPACES_MAX_ENTRY?",
	} {
		var errs strings.Builder
		code := run(t.Context(), []string{"version"}, environment{name: "x"}, strings.NewReader(""), io.Discard, &errs)
		require.Equal(t, exitUsage, code)
		require.Contains(t, errs.String(), says)
	}
	require.Zero(t,
		run(t.Context(), []string{"version"}, environment{"GOSPACES_SOMETHING": "", "GOSPACES_LISTEN": "x", "OTHER": "y"},
			strings.NewReader(""), io.Discard, io.Discard))
	require.Contains(t, cli(t, "serve", "--listn", "x").err, "unknown flag: --listn: did you mean --listen?")
	path := filepath.Join(t.TempDir(), "conf")
	require.NoError(t, os.WriteFile(path, []byte("durabilty = synced\n"), 0o600))
	require.Contains(t, cli(t, "serve", "--config", path).err,
		`:1: there is no setting "durabilty": did you mean durability?; there are `)
}
