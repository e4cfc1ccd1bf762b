// Gospaces runs a tuple space server, and works with the entries of one from the command line.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal asks to stop. From then on a signal does what it does by default: it ends the process at once.
	context.AfterFunc(ctx, stop)
	// A command whose output breaks has entries to put back: SIGPIPE must not end it. The write fails, too.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	os.Exit(run(ctx, os.Args[1:], newEnvironment(os.Environ()), os.Stdin, os.Stdout, os.Stderr))
}
