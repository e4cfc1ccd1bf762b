package main

import (
	"context"
	"errors"
	"os"
)

// errNoOutput is returned by a command that would consume entries and has no output to print them to.
var errNoOutput = errors.New("standard output is closed: nothing was taken; to discard what is taken, say > /dev/null")

// canDeliver returns errNoOutput if standard output was closed when this process started. Commands that consume entries
// ask first, since writes to the null device succeed.
func (a *app) canDeliver() error {
	if f, ok := a.stdout.(*os.File); ok && closedAtStart(f) {
		return errNoOutput
	}
	return nil
}

// deliver writes b to standard output and returns once it is safe there: on the disk if that is a file, read if that is
// a pipe whose reader can be asked. Commands consume entries only afterwards. It returns an error that wraps EPIPE if
// the reader has gone.
func (a *app) deliver(ctx context.Context, b []byte) error {
	if _, err := a.stdout.Write(b); err != nil {
		return err
	}
	f, ok := a.stdout.(*os.File)
	if !ok {
		return nil
	}
	info, err := f.Stat()
	switch {
	case err != nil:
		return err
	case info.Mode().IsRegular():
		return f.Sync()
	case info.Mode()&os.ModeNamedPipe != 0:
		return awaitReader(ctx, f)
	}
	return nil
}
