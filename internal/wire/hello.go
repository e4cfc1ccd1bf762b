package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// Errors of the handshake.
var (
	ErrVersion    = errors.New("wire: no common protocol version")
	ErrCapability = errors.New("wire: unknown capability")
	ErrBusy       = errors.New("wire: too many connections")
)

// magic begins the body of a Hello, so that a peer with another protocol is noticed at once.
const magic = "gospaces"

// Capabilities known to this program. A client names those that it requires.
const (
	CapSpaces = "spaces" // named spaces, the calls of this package
	CapResume = "resume" // sessions outlive connections
	CapRepeat = "repeat" // calls can be repeated when their session is gone
)

// Offers lists the capabilities of a server of this version.
func Offers() []string { return []string{CapSpaces, CapResume, CapRepeat} }

// Greeting is the first message of a client.
type Greeting struct {
	MinVersion, MaxVersion uint8

	Requires []string // capabilities that the server must have
	Software string
	Session  []byte // token of the session to resume
	Name     string // host and process, shown to people as the holder of an entry
	Client   []byte // identity of the client, which lets it repeat calls; secret
	Received uint64 // position in the server's stream up to which the client has received it
}

// set sets the field for one pair of a Hello.
func (g *Greeting) set(name string, value []byte) bool {
	switch name {
	case "requires":
		g.Requires = append(g.Requires, string(value))
	case "software":
		g.Software = string(value)
	case "session":
		g.Session = bytes.Clone(value)
	case "name":
		g.Name = string(value)
	case "client":
		g.Client = bytes.Clone(value)
	case "received":
		return decodeNumber(&g.Received, value, math.MaxUint64)
	}
	return true
}

// Terms is the server's answer to an accepted Greeting.
type Terms struct {
	Version uint8

	Offers   []string
	Software string
	MaxFrame int           // bytes of a frame after its length, both ways
	Idle     time.Duration // both sides consider a connection dead after this time without a frame
	Session  []byte        // token for resuming this session; secret
	Resumed  bool          // the session continues; otherwise it is a new one
	Received uint64        // position in the client's stream up to which the server has received it
	Cluster  string        // of which the server is a node; "": it is alone
	Node     string        // name of the server in its cluster
	Data     string        // identity of what a server has that is alone
}

// set sets the field for one pair of a Welcome.
func (t *Terms) set(name string, value []byte) bool {
	switch name {
	case "offers":
		t.Offers = append(t.Offers, string(value))
	case "software":
		t.Software = string(value)
	case "cluster":
		t.Cluster = string(value)
	case "node":
		t.Node = string(value)
	case "data":
		t.Data = string(value)
	case "max_frame":
		return decodeNumber(&t.MaxFrame, value, math.MaxInt32)
	case "idle":
		return decodeNumber(&t.Idle, value, math.MaxInt64)
	case "session":
		t.Session = bytes.Clone(value)
	case "resumed":
		t.Resumed = true
	case "received":
		return decodeNumber(&t.Received, value, math.MaxUint64)
	}
	return true
}

// AppendHello appends a Hello frame.
func AppendHello(dst []byte, g *Greeting) []byte {
	start := len(dst)
	dst = append(append(Begin(dst, Hello, 0), magic...), g.MinVersion, g.MaxVersion)
	for _, capability := range g.Requires {
		dst = appendNamed(dst, "requires", capability)
	}
	dst = appendNamed(dst, "software", g.Software)
	dst = appendNamed(dst, "session", g.Session)
	dst = appendNamed(dst, "name", g.Name)
	dst = appendNamed(dst, "client", g.Client)
	return End(appendNumber(dst, "received", g.Received), start)
}

// DecodeHello decodes the body of a Hello frame. It returns ErrMalformed if it is not a Hello, ErrVersion if the client
// does not speak Version, and ErrCapability if it requires a capability that Offers does not list.
func DecodeHello(body []byte) (*Greeting, error) {
	rest, ok := bytes.CutPrefix(body, []byte(magic))
	if !ok || len(rest) < 2 {
		return nil, fmt.Errorf("%w: this is a gospaces server", ErrMalformed)
	}
	g := &Greeting{MinVersion: rest[0], MaxVersion: rest[1]}
	if g.MinVersion > Version || g.MaxVersion < Version {
		return nil, fmt.Errorf("%w: the client speaks %d to %d, the server %d",
			ErrVersion, g.MinVersion, g.MaxVersion, Version)
	}
	if err := decodeNamed(rest[2:], g.set); err != nil {
		return nil, fmt.Errorf("hello: %w", err)
	}
	return g, checkCapabilities(g.Requires, Offers())
}

// AppendWelcome appends a Welcome frame.
func AppendWelcome(dst []byte, t *Terms) []byte {
	start := len(dst)
	dst = append(Begin(dst, Welcome, 0), t.Version)
	for _, capability := range t.Offers {
		dst = appendNamed(dst, "offers", capability)
	}
	dst = appendNamed(dst, "software", t.Software)
	dst = appendNamed(dst, "cluster", t.Cluster)
	dst = appendNamed(dst, "node", t.Node)
	dst = appendNamed(dst, "data", t.Data)
	dst = appendNumber(dst, "max_frame", uint64(t.MaxFrame))
	dst = appendNumber(dst, "idle", uint64(t.Idle))
	dst = appendNamed(dst, "session", t.Session)
	if t.Resumed {
		dst = appendNumber(dst, "resumed", 1)
	}
	return End(appendNumber(dst, "received", t.Received), start)
}

// DecodeWelcome decodes the body of a Welcome frame; needs are the capabilities that the server must offer. It returns
// ErrMalformed, or ErrVersion or ErrCapability if the two sides cannot work together.
func DecodeWelcome(body []byte, needs []string) (*Terms, error) {
	if len(body) == 0 {
		return nil, fmt.Errorf("%w: empty welcome", ErrMalformed)
	}
	t := &Terms{Version: body[0]}
	if t.Version != Version {
		return nil, fmt.Errorf("%w: the server chose %d, the client speaks %d", ErrVersion, t.Version, Version)
	}
	if err := decodeNamed(body[1:], t.set); err != nil {
		return nil, fmt.Errorf("welcome: %w", err)
	}
	if t.MaxFrame < MinMaxFrame || t.Idle <= 0 {
		return nil, fmt.Errorf("%w: welcome with impossible limits", ErrMalformed)
	}
	return t, checkCapabilities(needs, t.Offers)
}

func checkCapabilities(needs, have []string) error {
	for _, n := range needs {
		if !slices.Contains(have, n) {
			return fmt.Errorf("%w: %q", ErrCapability, n)
		}
	}
	return nil
}

// AppendAck appends an Ack of the other side's stream up to position pos.
func AppendAck(dst []byte, pos uint64) []byte {
	start := len(dst)
	return End(binary.AppendUvarint(Begin(dst, Ack, 0), pos), start)
}
