package main

import (
	"errors"
	"fmt"

	"github.com/spf13/pflag"

	"github.com/gospaces/gospaces/internal/budget"
	"github.com/gospaces/gospaces/node"
)

// limits are the settings of what a server may hold.
type limits struct{ node.Limits }

// addTo adds the flags of the limits.
func (l *limits) addTo(flags *pflag.FlagSet) {
	l.Limits = node.DefaultLimits()
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

// check refuses zero where a node would take it for "the default".
func (l *limits) check() error {
	for _, f := range []struct {
		name  string
		value int
	}{
		{"max-connections", l.Connections},
		{"max-spaces", l.Spaces},
		{"max-kinds", l.Kinds},
		{"max-waits", l.Waits},
		{"max-registrations", l.Registrations},
		{"max-open-txns", l.Txns},
		{"max-txn-entries", l.TxnEntries},
		{"max-client-waits", l.Client.Waits},
		{"max-client-registrations", l.Client.Registrations},
		{"max-client-txns", l.Client.Txns},
		{"max-client-backups", l.Client.Backups},
	} {
		if f.value <= 0 {
			return fmt.Errorf("--%s must be positive", f.name)
		}
	}
	switch {
	case l.KindEntries < 0:
		return errors.New("--max-kind-entries must not be negative")
	case l.Frame <= 0:
		return errors.New("--frame-timeout must be positive")
	}
	return nil
}

// enforce has the runtime keep within the memory that there may be, which is known from then on.
func (l *limits) enforce() {
	if l.Memory == 0 {
		l.Memory = budget.Default()
	}
	budget.Enforce(l.Memory)
}
