// Package archtest holds the import table of the module, and the tests that enforce it.
//
// The table is a promise to users (a program that only needs the client links neither a log nor a database driver) and
// to readers (docs/architecture.md shows every arrow). A package that is missing here fails the test, so its place is
// decided when it is created.
package archtest

// table names, for each package of the module, which other packages of the module its code may import.
// Tests may import more: anything but programs. A pattern that ends in "/" stands for every package below it.
var table = map[string][]string{
	// The vocabulary and the core: what an entry is, what a space promises, how it keeps it.
	"template":         {},
	"internal/backoff": {},
	"txn":              {"internal/backoff"},
	"internal/record":  {},
	"internal/call":    {"template", "txn"},
	"internal/store":   {"template"},
	"internal/engine":  {"template", "txn", "internal/call", "internal/record", "internal/store"},
	"internal/budget":  {},
	"internal/partition": {
		"template", "txn", "internal/backoff", "internal/call", "internal/record", "internal/engine",
		"internal/budget",
	},
	"space/codec": {"template", "internal/call"},
	"space":       {"template", "txn", "internal/backoff", "internal/call", "space/codec"},
	"space/work":  {"template", "space", "internal/backoff"},

	// What implements a space, and the one in this process.
	"internal/impl": {"template", "txn", "internal/call", "space"},
	"internal/local": {
		"template", "txn", "internal/call", "internal/partition", "internal/impl", "space", "space/codec",
	},
	"space/memory": {"txn", "internal/engine", "internal/partition", "internal/local", "space"},

	// The way to a space on a server.
	"internal/wire":  {"template", "txn", "internal/call"},
	"internal/route": {"template"},
	"client": {
		"template", "txn", "space", "space/codec", "internal/backoff", "internal/call", "internal/impl", "internal/route",
		"internal/wire",
	},
	"internal/server": {
		"template", "txn", "internal/backoff", "internal/budget", "internal/call", "internal/wire",
	},

	// Behind a space: the log, and the database.
	"internal/fsync":    {},
	"replication":       {"template", "internal/fsync", "internal/record"},
	"writeback":         {"template", "txn", "internal/backoff", "internal/record"},
	"internal/backup":   {"txn", "internal/call", "internal/record", "internal/engine", "replication"},
	"internal/load":     {"internal/record", "txn", "internal/engine", "replication", "writeback", "internal/backup"},
	"internal/postgres": {},

	// Which node leads what, and how nodes share transactions.
	"internal/remote":  {"txn", "internal/backoff", "internal/call", "internal/partition", "internal/wire"},
	"internal/cluster": {"txn", "internal/backoff", "internal/record", "replication"},

	// Where everything comes together.
	"node": {
		"template", "txn", "space", "internal/budget", "internal/call", "internal/record", "internal/engine",
		"internal/local", "internal/partition", "internal/route", "internal/wire",
		"internal/server", "internal/cluster", "internal/remote", "replication", "writeback",
	},
	"cmd/gospaces": {
		"template", "txn", "space", "client", "internal/budget", "internal/fsync", "internal/wire", "node",
		"replication", "writeback", "internal/backup", "internal/load", "internal/bench",
	},
	"cmd/demo": {"space", "client", "internal/postgres"},

	// For tests, figures and readers.
	"spacetest": {
		"template", "txn", "space", "space/work", "client", "internal/call", "internal/record", "internal/engine",
		"internal/partition",
		"internal/wire", "internal/server", "node", "replication", "writeback", "internal/postgres",
		"spacetest/history", "spacetest/random",
	},
	"spacetest/history": {},
	"spacetest/random":  {"txn", "space", "spacetest/history"},
	"spacetest/crash": {
		"space", "space/work", "client", "internal/call", "internal/record", "internal/engine", "replication",
		"internal/postgres", "spacetest/history", "spacetest/random",
	},
	"internal/bench":    {"txn", "space", "space/work", "client"},
	"internal/archtest": {},
	"examples/":         {"template", "txn", "space", "space/memory", "space/work", "client", "node"},
}

// lean names the packages from which users build programs, and neverLinked the packages that these must not import.
var (
	lean        = []string{"template", "txn", "space", "space/memory", "space/work", "client"}
	neverLinked = []string{
		"testing", "github.com/stretchr/testify", "github.com/lib/pq",
		"github.com/nats-io/nats-server", "github.com/nats-io/nats.go",
	}
	// remote names those of them that need no engine: their spaces are elsewhere, or brought along by the program.
	remote = []string{"space", "space/work", "client"}
	engine = "github.com/gospaces/gospaces/internal/engine"
)
