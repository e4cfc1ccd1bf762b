package writeback

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode/utf8"

	"github.com/lib/pq"
)

const (
	// maxName is the number of significant bytes in a PostgreSQL identifier.
	maxName = 63

	// hashLen is the number of hash characters that make a name unique.
	hashLen = 8
)

// names issues identifiers, each once. The result depends only on the earlier requests and their order.
type names map[string]bool

// pick returns an identifier for name: name itself if PostgreSQL accepts it and it is free; otherwise as much of its
// beginning as fits, an underscore, and the beginning of its hash.
func (n names) pick(name string) string {
	picked := name
	for salted := name; !n.free(picked); salted += "'" {
		picked = shorten(name, maxName-hashLen-1) + "_" + hash(salted)
	}
	n[picked] = true
	return picked
}

// pickWith is pick for a name that ends in suffix, which is short.
func (n names) pickWith(name, suffix string) string {
	base := shorten(name, maxName-hashLen-1-len(suffix))
	picked := base + suffix
	for salted := name; !n.free(picked); salted += "'" {
		picked = base + "_" + hash(salted) + suffix
	}
	n[picked] = true
	return picked
}

func (n names) free(name string) bool {
	return len(name) <= maxName && strings.IndexByte(name, 0) < 0 && !n[name]
}

// shorten returns the first characters of name in at most size bytes, with those replaced that PostgreSQL cannot hold.
func shorten(name string, size int) string {
	name = strings.ReplaceAll(name, "\x00", "_")
	if len(name) <= size {
		return name
	}
	for !utf8.RuneStart(name[size]) {
		size--
	}
	return name[:size]
}

func hash(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:])[:hashLen]
}

// schemaName returns the schema with the tables of a space.
func schemaName(space string) string { return names{}.pick("space_" + space) }

// columnNames returns the names that no field may have: the columns that every table has, and PostgreSQL's system
// columns.
func columnNames() names {
	return names{
		entryColumn: true, expiresColumn: true, visibleColumn: true, stateColumn: true, holderColumn: true, triesColumn: true,
		leftColumn: true, howColumn: true, moreColumn: true, exactColumn: true,
		"tableoid": true, "xmin": true, "cmin": true, "xmax": true, "cmax": true, "ctid": true,
	}
}

// quote quotes a name for SQL.
func quote(name string) string { return pq.QuoteIdentifier(name) }
