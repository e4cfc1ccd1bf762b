package main

import (
	"errors"
	"net"
	"regexp"
	"strings"

	"github.com/gospaces/gospaces/node"
)

// flagOf maps the fields of a node's configuration to the flags of serve that set them.
var flagOf = map[string]string{
	"Listen": "listen", "Admin": "admin", "Data": "data", "Durability": "durability", "AcceptLoss": "accept-loss",
	"Postgres": "postgres", "Mirror": "mirror", "MirrorLog": "mirror-log", "MirrorFull": "mirror-full",
	"Conns": "postgres-conns", "Lanes": "mirror-lanes",
	"MaxEntry": "max-entry", "MaxLease": "max-lease", "MaxListen": "max-listen", "MaxTxn": "max-txn",
	"SnapshotBytes": "snapshot-bytes", "SnapshotEvery": "snapshot-every", "EventLog": "event-log",

	"Cluster.Name": "cluster", "Cluster.Node": "node", "Cluster.Zone": "zone", "Cluster.Peers": "peers",
	"Cluster.Listen": "cluster-listen", "Cluster.Advertise": "advertise",
	"Cluster.Key": "cluster-key-file", "Cluster.TLS": "cluster-cert", "Cluster.NATS": "nats",
	"Cluster.Replicas": "replicas", "Cluster.Patience": "patience",
	"Cluster.AuditEvery": "audit-every",

	"Limits.Memory": "max-memory", "Limits.Connections": "max-connections", "Limits.Spaces": "max-spaces",
	"Limits.Waits": "max-waits", "Limits.Registrations": "max-registrations", "Limits.Txns": "max-open-txns",
	"Limits.TxnEntries": "max-txn-entries", "Limits.Kinds": "max-kinds", "Limits.KindEntries": "max-kind-entries",
	"Limits.KindBytes": "max-kind-bytes", "Limits.Frame": "frame-timeout",
	"Limits.Client.Waits": "max-client-waits", "Limits.Client.Registrations": "max-client-registrations",
	"Limits.Client.Txns": "max-client-txns", "Limits.Client.Backups": "max-client-backups",
}

// fieldName matches the name of a field in a message.
var fieldName = regexp.MustCompile(`\b[A-Z]\w*(\.[A-Z]\w*)*\b`)

// withFlags returns the text of an error about settings, with flags in the place of fields.
func withFlags(text string) string {
	return fieldName.ReplaceAllStringFunc(text, func(name string) string {
		if flag, ok := flagOf[name]; ok {
			return "--" + flag
		}
		return name
	})
}

// settingErrors returns the errors about settings among those that are joined in err.
func settingErrors(err error) (all []*node.SettingError) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			all = append(all, settingErrors(e)...)
		}
		return all
	}
	if e, ok := errors.AsType[*node.SettingError](err); ok {
		all = append(all, e)
	}
	return all
}

// settingsError returns the error of serve for settings that are wrong, and nil if err is about none. An address that
// is in use is no mistake in the command line.
func settingsError(err error) error {
	wrong := settingErrors(err)
	if len(wrong) == 0 {
		return nil
	}
	var texts []string
	for _, e := range wrong {
		texts = append(texts, withFlags(e.Setting+" "+e.Problem))
	}
	first := wrong[0]
	if _, inUse := errors.AsType[*net.OpError](first.Err); inUse {
		return errors.New(texts[0] + ": " + first.Err.Error())
	}
	return usage("%s", strings.Join(texts, "; "))
}
