package replication

import "fmt"

// SettingError is a setting that is wrong or missing. Functions that check a configuration return one for each, joined.
type SettingError struct {
	Setting string // the field, as in "Cluster.Key"
	Problem string // what is wrong, as the predicate of a sentence about the field; it may name others
	Err     error  // the cause, which the text ends with; nil: none
}

func (e *SettingError) Error() string {
	text := e.Setting + " " + e.Problem
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns Err.
func (e *SettingError) Unwrap() error { return e.Err }

// wrong returns a SettingError with a formatted problem.
func wrong(setting, problem string, args ...any) error {
	return &SettingError{Setting: setting, Problem: fmt.Sprintf(problem, args...)}
}
