package main

import (
	"github.com/spf13/pflag"

	"github.com/gospaces/gospaces/internal/budget"
	"github.com/gospaces/gospaces/node"
)

// addLimits adds the flags for the limits of a server.
func addLimits(flags *pflag.FlagSet, l *node.Limits) {
	*l = node.DefaultLimits()
	flags.Var((*bytesValue)(&l.Memory), "max-memory",
		"memory that the server may use, as in 4GiB; 0: 90% of its container's or 75% of the machine's")
	flags.IntVar(&l.Connections, "max-connections", l.Connections, "connections")
	flags.IntVar(&l.Spaces, "max-spaces", l.Spaces, "spaces")
	flags.IntVar(&l.Kinds, "max-kinds", l.Kinds, "kinds of entries in a space")
	flags.IntVar(&l.KindEntries, "max-kind-entries", l.KindEntries, "entries of one kind; 0: no bound")
	flags.Var((*bytesValue)(&l.KindBytes), "max-kind-bytes", "bytes of all entries of one kind; 0: no bound")
	flags.IntVar(&l.Waits, "max-waits", l.Waits, "calls that wait in a space")
	flags.IntVar(&l.Registrations, "max-registrations", l.Registrations, "registrations for events in a space")
	flags.IntVar(&l.Txns, "max-open-txns", l.Txns, "open transactions in a space")
	flags.IntVar(&l.TxnEntries, "max-txn-entries", l.TxnEntries,
		"entries that one transaction may read, take, write and change in all, and that one write may have")
	flags.IntVar(&l.Client.Waits, "max-client-waits", l.Client.Waits, "calls of one client that wait")
	flags.IntVar(&l.Client.Registrations, "max-client-registrations", l.Client.Registrations,
		"registrations in a space that one client listens to")
	flags.IntVar(&l.Client.Txns, "max-client-txns", l.Client.Txns, "open transactions of one client in a space")
	flags.IntVar(&l.Client.Backups, "max-client-backups", l.Client.Backups, "backups that one client makes at a time")
	flags.DurationVar(&l.Frame, "frame-timeout", l.Frame,
		"how long a message of a client may take to arrive, and a second more for each 256 KiB of it")
}

// enforce sets the memory limit of the Go runtime, after replacing 0 by the default.
func enforce(l *node.Limits) {
	if l.Memory == 0 {
		l.Memory = budget.Default()
	}
	budget.Enforce(l.Memory)
}
