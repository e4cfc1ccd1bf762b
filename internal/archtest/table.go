// Package archtest holds the import table of the module, and the tests that enforce it.
//
// Who may import whom is a promise to users (a program that only needs the client links neither a log nor a database
// driver) and to readers (the arrows of docs/architecture.md are all there are). A package that is missing here fails
// the test, so that its place is decided when it is born.
package archtest

// table names, for each package of the module, which other packages of the module its code may import.
// Tests may import more: anything but programs. A pattern that ends in "/" stands for every package below it.
var table = map[string][]string{
	// The vocabulary: what an entry is, what a space promises.
	"template":           {},
	"internal/record":    {},
	"internal/engine":    {"template", "internal/record"},
	"internal/partition": {"template", "internal/record", "internal/engine"},
	"space":              {"template", "internal/record", "internal/engine", "internal/partition"},

	// The way to a space on a server.
	"internal/wire":   {"template", "space", "internal/engine"},
	"client":          {"template", "space", "internal/wire"},
	"internal/server": {"template", "space", "internal/record", "internal/engine", "internal/partition", "internal/wire"},

	// Behind a space: the log, and the database.
	"replication": {"template", "internal/record", "internal/engine", "internal/partition"},
	"writeback":   {"template", "internal/record"},
	"internal/postgres":    {},

	// Where everything comes together.
	"internal/node": {
		"template", "space", "internal/record", "internal/engine", "internal/partition", "internal/wire",
		"internal/server", "replication", "writeback", "internal/postgres",
	},
	"cmd/gospaces": {
		"template", "space", "client", "internal/wire", "internal/node", "internal/bench",
		"internal/server", "replication", "writeback",
	},
	"cmd/demo": {"template", "space", "client", "internal/postgres"},

	// For tests, examples and figures.
	"spacetest": {
		"template", "space", "client", "internal/record", "internal/engine", "internal/partition", "internal/wire",
		"internal/server", "replication", "writeback", "internal/postgres", "internal/node",
	},
	"internal/bench":    {"template", "space", "client", "internal/node", "internal/server", "internal/partition", "internal/engine"},
	"internal/archtest": {},
	"examples/":         {"template", "space", "client"},
}

// lean names the packages that users build programs from, and neverLinked what must not come along with them.
var (
	lean        = []string{"template", "space", "client"}
	neverLinked = []string{
		"testing", "github.com/stretchr/testify", "github.com/lib/pq",
		"github.com/nats-io/nats-server", "github.com/nats-io/nats.go",
	}
)
