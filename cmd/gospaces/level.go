package main

import "log/slog"

// levelValue is a flag value: the minimum level of lines in the log.
type levelValue struct{ *slog.LevelVar }

// Set implements pflag.Value.
func (v levelValue) Set(text string) error { return v.UnmarshalText([]byte(text)) }

// String implements pflag.Value.
func (v levelValue) String() string {
	if v.LevelVar == nil {
		return "" // pflag asks the zero value
	}
	return v.Level().String()
}

// Type implements pflag.Value.
func (levelValue) Type() string { return "level" }
