package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/gospaces/gospaces/space"
)

// Exit codes, as --help promises them.
const (
	exitOK      = 0
	exitError   = 1
	exitUsage   = 2
	exitNoMatch = 3
	exitFull    = 4
	exitPipe    = 141 // as a shell reports a program that SIGPIPE has ended
)

// exit prints the error of cmd in one line and returns the exit code.
func (a *app) exit(cmd *cobra.Command, err error) int {
	if err == nil {
		return exitOK
	}
	code, says := exitError, forPeople(err)
	if errors.Is(err, space.ErrLeaseEnded) {
		says = strings.ReplaceAll(says, "lease ended", "ended, or never granted")
	}
	switch {
	case errors.Is(err, space.ErrNoMatch):
		return exitNoMatch // an answer, not a failure: print nothing
	case readerGone(err):
		return exitPipe // the reader had enough: print nothing
	case errors.Is(err, context.Canceled):
		says = "interrupted"
	case errors.Is(err, space.ErrLogFull), errors.Is(err, space.ErrSpaceFull):
		code = exitFull
	case errors.Is(err, space.ErrTxnEnded) && !strings.Contains(says, "gospaces outcome"):
		says += ", or never began: `gospaces outcome ID` tells"
	case !a.running || errors.As(err, new(usageError)):
		code = exitUsage
		says += " (see `" + cmd.CommandPath() + " --help`)"
	}
	fmt.Fprintln(a.stderr, "gospaces:", says)
	return code
}

// readerGone reports whether err comes from writing to a pipe that no longer has a reader.
func readerGone(err error) bool {
	failed, ok := errors.AsType[*fs.PathError](err)
	return ok && errors.Is(failed, syscall.EPIPE)
}

// packages matches the names of packages at the start of errors, and of kinds of errors, which are for programmers.
var packages = regexp.MustCompile(
	`(^|[:;] |\()(?:(?:space|template|replication|writeback|backup|client|txn|wire|load|partition|record|node|` +
		`server|work|cluster|engine|postgres|invalid argument|invalid name): )+`)

// forPeople returns the text of an error in one line, without the names of packages.
func forPeople(err error) string { return packages.ReplaceAllString(oneLine(err.Error()), "$1") }

// oneLine joins the lines of joined errors, and of cobra's suggestions.
func oneLine(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\t' }), "; ")
}
