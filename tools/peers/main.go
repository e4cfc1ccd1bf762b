// Peers measures gospaces beside other servers that programs use as queues, on this machine, in one run.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"
)

// clientGC is GOGC of the callers, of all peers alike: their heap is tiny, and would be collected all the time.
const clientGC = 800

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		stop()
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out, progress io.Writer) error {
	o, err := parse(args, progress)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	defer debug.SetGCPercent(debug.SetGCPercent(clientGC))
	fmt.Fprintf(out, "%d processors, shared by servers and callers; GOGC=%d for the callers; jobs of %d bytes; "+
		"median of %d rounds\n", runtime.NumCPU(), clientGC, jobSize, o.rounds)
	results, err := measure(ctx, o)
	relate(results)
	printTables(out, results)
	if err != nil || o.file == "" {
		return err
	}
	b, err := json.MarshalIndent(results, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(o.file, append(b, '\n'), 0o644)
}
