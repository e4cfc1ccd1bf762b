package main

import (
	"encoding/json"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gospaces/gospaces/internal/bench"
)

func (a *app) benchCommand() *cobra.Command {
	var o bench.Options
	var file string
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure a server: rates and latencies of typical work",
		Long: `Measure a server: rates and latencies of typical work.

Without --addr a server is started for the purpose, on a temporary folder that is removed afterwards. It shares
the processors with the callers. On Linux, with --apart, it gets one half of them and the callers get the other,
as if they were on machines of their own. With --addr the space "bench" of that server is used, and emptied.

Workloads, with entries of --payload bytes:
  echo      a call that does nothing: the ceiling, to which /echo relates the others
  write     write
  take      take what was written before
  jobs      one half of the callers write, the other take and wait if need be; counted are the jobs taken
  seq       one caller writes and takes in turns; counted are the jobs taken
  match     take by key among 200,000 entries with 10,000 keys, and write back
  txn       a worker's cycle: take a job under a transaction; write its result and commit: two round trips
  next      the same in one round trip: commit, and take the next job
  txn3      the same with a begin of its own: three round trips
  work      the same done by work.Run, with --callers workers
  backlog   write --entries in bulk calls of 1000, then take them all; a call's latency, but entries per second

Processor time per operation is that of client and server together.`,
		Example: `  gospaces bench
  gospaces bench --workload echo,jobs --callers 256 --conns 1 --durability logged,synced --json bench.json
  gospaces bench --addr db1:7420 --duration 10s`,
		Args: noOperands,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("addr") {
				o.Addr = a.addr
			}
			return a.bench(cmd, o, file)
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&o.Workloads, "workload", nil,
		"what to measure; default all of "+strings.Join(bench.Workloads(), ","))
	flags.IntSliceVar(&o.Callers, "callers", nil, "numbers of callers (default 1,4,8,16,64,256)")
	flags.IntSliceVar(&o.Conns, "conns", nil, "numbers of connections (default 1,4)")
	flags.StringSliceVar(&o.Durability, "durability", nil, "of the servers to start (default logged)")
	flags.DurationVar(&o.Duration, "duration", 0, "of one measurement (default 3s)")
	flags.IntVar(&o.Payload, "payload", 0, "bytes (default 100)")
	flags.IntVar(&o.Backlog, "entries", 0, "of backlog, and at most of match (default 1000000)")
	flags.IntVar(&o.Partitions, "partitions", 0, "of the space (default 1)")
	flags.BoolVar(&o.Apart, "apart", false, "give the server one half of the processors and the callers the other")
	flags.StringVar(&file, "json", "", "file that takes the results, an array of objects")
	return cmd
}

func (a *app) bench(cmd *cobra.Command, o bench.Options, file string) error {
	for _, name := range []string{"duration", "payload", "entries"} {
		if f := cmd.Flags().Lookup(name); f.Changed && strings.Trim(f.Value.String(), "0s") == "" {
			return usage("--%s must be positive", name)
		}
	}
	err := o.Check()
	if err != nil {
		return usageError{err}
	}
	if o.Program, err = os.Executable(); err != nil {
		return err
	}
	o.Out, o.Log = a.stdout, a.stderr
	results, err := bench.Run(cmd.Context(), o)
	if err != nil || file == "" {
		return err
	}
	b, err := json.MarshalIndent(results, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(b, '\n'), 0o644)
}
