// Package wire is the protocol between clients and servers: frames, the bodies of calls and answers, the handshake, and
// the numbers of errors. docs/protocol.md describes it for whoever writes another client.
//
// It holds no connection and starts no goroutine: package server and package client do.
package wire

import (
	"github.com/gospaces/gospaces/internal/call"
)

// Version is the protocol version that this program speaks; Hello carries the range that a client can speak.
const Version = 2

// Software is the name under which both sides of this module introduce themselves.
const Software = "gospaces"

// Limits of what one frame may ask a server to hold, whatever its size. They bound what decoding allocates.
const (
	DefaultMaxFrame = 16 << 20 // bytes of a frame after its length
	MinMaxFrame     = 64 << 10 // the least that a server may set
	MaxHello        = 4 << 10  // bytes of a frame before the handshake is done

	MaxName      = 255          // bytes of the name of a space
	MaxKinds     = 1 << 16      // numbers of kinds in a space
	MaxTemplates = 1 << 10      // templates of a query
	MaxConds     = 1 << 12      // conditions of all templates of a query together
	MaxValues    = 1 << 16      // operands of all In conditions of a query together
	MaxDrafts    = 1 << 16      // entries of a write
	MaxLeases    = 1 << 16      // leases of a renew or cancel, and entries that a rollback keeps
	MaxFind      = call.MaxFind // entries that one read, take or page returns; more are asked for in several calls
)

// MaxCall is the largest call number: servers use the upper byte for themselves.
const MaxCall = 1<<56 - 1

// partSize is the size from which an answer is continued in another frame.
const partSize = 256 << 10
