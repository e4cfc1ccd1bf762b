// Package wire is the protocol between clients and servers: frames, the bodies of calls and answers, the handshake, and
// the numbers of errors. docs/protocol.md describes it for authors of other clients.
//
// It holds no connection and starts no goroutine; packages server and client do.
package wire

import (
	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/template"
)

// Version is the protocol version that this program speaks; Hello carries the range that a client can speak.
const Version = 2

// Software is the name that both sides of this module send.
const Software = "gospaces"

// Limits of one frame. They limit what decoding allocates.
const (
	DefaultMaxFrame = 16 << 20 // bytes of a frame after its length
	MinMaxFrame     = 64 << 10 // the minimum that a server may set
	MaxHello        = 4 << 10  // bytes of a frame during the handshake

	MaxName      = 255                  // bytes of the name of a space
	MaxKinds     = 1 << 16              // numbers of kinds in a space
	MaxTemplates = call.MaxTemplates    // templates of a query
	MaxFields    = call.MaxQueryFields  // fields of all its named templates
	MaxConds     = template.MaxOperands // conditions in all its templates
	MaxValues    = template.MaxOperands // operands of all its In conditions
	MaxDrafts    = 1 << 16              // entries of a write
	MaxLeases    = call.MaxLeases       // leases of a renew or cancel, and entries that a rollback keeps
	MaxFind      = call.MaxFind         // entries of one read, take or page; more need several calls
)

// MaxCall is the largest call number: servers use the upper byte themselves.
const MaxCall = 1<<56 - 1

// partSize is the size at which an answer continues in another frame.
const partSize = 256 << 10
