package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

// Errors of the handshake.
var (
	ErrVersion    = errors.New("wire: no common protocol version")
	ErrCapability = errors.New("wire: unknown capability")
	ErrBusy       = errors.New("wire: too many connections")
)

// magic begins the body of a Hello, so that whoever speaks another protocol is noticed at once.
const magic = "gospaces"

// Capabilities that this program knows. A client names those without which it cannot work.
const (
	CapSpaces = "spaces" // named spaces, the calls of this package
	CapResume = "resume" // sessions outlive connections
	CapRepeat = "repeat" // calls can be repeated when their session is gone
)

// Offers lists the capabilities of a server of this version.
func Offers() []string { return []string{CapSpaces, CapResume, CapRepeat} }

// Greeting is what a client says first.
type Greeting struct {
	MinVersion, MaxVersion uint8 `msgpack:"-"`

	Requires []string `msgpack:"requires,omitempty"` // capabilities that the server must have
	Software string   `msgpack:"software,omitempty"`
	Session  []byte   `msgpack:"session,omitempty"`  // token of the session to resume
	Client   []byte   `msgpack:"client,omitempty"`   // what the client calls itself, so that it can repeat calls; secret
	Received uint64   `msgpack:"received,omitempty"` // position in the server's stream up to which the client has it
}

// Terms is the server's answer to a Greeting that it accepts.
type Terms struct {
	Version uint8 `msgpack:"-"`

	Offers   []string      `msgpack:"offers"`
	Software string        `msgpack:"software"`
	MaxFrame int           `msgpack:"max_frame"` // bytes of a frame after its length, both ways
	Idle     time.Duration `msgpack:"idle"`      // a connection without a sign of life for so long is dead, to both sides
	Session  []byte        `msgpack:"session"`   // token for resuming this session; secret
	Resumed  bool          `msgpack:"resumed"`   // the session goes on; otherwise it is a new one
	Received uint64        `msgpack:"received"`  // position in the client's stream up to which the server has it
}

// AppendHello appends a Hello frame.
func AppendHello(dst []byte, g *Greeting) ([]byte, error) {
	start := len(dst)
	dst = append(append(Begin(dst, Hello, 0), magic...), g.MinVersion, g.MaxVersion)
	return appendPacked(dst, start, g)
}

// DecodeHello decodes the body of a Hello frame. It returns ErrMalformed if it is none, ErrVersion if the client
// cannot speak Version, and ErrCapability if it requires what Offers does not list.
func DecodeHello(body []byte) (*Greeting, error) {
	rest, ok := bytes.CutPrefix(body, []byte(magic))
	if !ok || len(rest) < 2 {
		return nil, fmt.Errorf("%w: this is a gospaces server", ErrMalformed)
	}
	g := &Greeting{MinVersion: rest[0], MaxVersion: rest[1]}
	if g.MinVersion > Version || g.MaxVersion < Version {
		return nil, fmt.Errorf("%w: the client speaks %d to %d, the server %d", ErrVersion, g.MinVersion, g.MaxVersion, Version)
	}
	if err := msgpack.Unmarshal(rest[2:], g); err != nil {
		return nil, fmt.Errorf("%w: hello: %v", ErrMalformed, err)
	}
	return g, checkCapabilities(g.Requires, Offers())
}

// AppendWelcome appends a Welcome frame.
func AppendWelcome(dst []byte, t *Terms) ([]byte, error) {
	start := len(dst)
	return appendPacked(append(Begin(dst, Welcome, 0), t.Version), start, t)
}

// DecodeWelcome decodes the body of a Welcome frame; needs are the capabilities that the server must offer.
// It returns ErrMalformed, ErrVersion or ErrCapability if the two cannot work together.
func DecodeWelcome(body []byte, needs []string) (*Terms, error) {
	if len(body) == 0 {
		return nil, fmt.Errorf("%w: empty welcome", ErrMalformed)
	}
	t := &Terms{Version: body[0]}
	if t.Version != Version {
		return nil, fmt.Errorf("%w: the server chose %d, the client speaks %d", ErrVersion, t.Version, Version)
	}
	if err := msgpack.Unmarshal(body[1:], t); err != nil {
		return nil, fmt.Errorf("%w: welcome: %v", ErrMalformed, err)
	}
	if t.MaxFrame < MinMaxFrame || t.Idle <= 0 {
		return nil, fmt.Errorf("%w: welcome with impossible limits", ErrMalformed)
	}
	return t, checkCapabilities(needs, t.Offers)
}

func appendPacked(dst []byte, start int, v any) ([]byte, error) {
	packed, err := msgpack.Marshal(v)
	if err != nil {
		return dst[:start], fmt.Errorf("wire: encode handshake: %w", err)
	}
	return End(append(dst, packed...), start), nil
}

func checkCapabilities(needs, have []string) error {
	for _, n := range needs {
		if !slices.Contains(have, n) {
			return fmt.Errorf("%w: %q", ErrCapability, n)
		}
	}
	return nil
}

// AppendAck appends an Ack of everything before position pos of the other side's stream.
func AppendAck(dst []byte, pos uint64) []byte {
	start := len(dst)
	return End(binary.AppendUvarint(Begin(dst, Ack, 0), pos), start)
}
