package replication

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

const (
	// readBuffer is the size of a reader's buffer, unless a message needs more. The server writes up to 64 KiB at once.
	readBuffer = 128 << 10

	// ackBuffer is the size of a writer's buffer.
	ackBuffer = 4 << 10

	// maxAnswer limits one answer of the server, and so the buffer: a stored message with its header.
	maxAnswer = maxPayload + 64<<10

	// maxLine limits a line of the protocol. The longest is the INFO that greets a client.
	maxLine = 16 << 10

	// handshakeTimeout limits the dialogue that opens a connection, in which no disk takes part.
	handshakeTimeout = 30 * time.Second
)

var lineEnd = []byte("\r\n")

// errProtocol is returned for an unexpected message of the server.
var errProtocol = errors.New("unexpected answer from server")

// conn is the client's end of a connection to the embedded server, at the level of the NATS protocol. It has one
// subscription, to the subject of its answers.
//
// It carries single requests and their answers, and the goroutine that asks reads the answer: goroutines that read and
// flush, channels and maps of headers, which a general client needs, do not stand between the log and its disk. Nothing
// is read between two requests. That is safe, since a server started by startEmbedded sends nothing of its own accord:
// neither pings nor, to a client of protocol 0, changes of topology.
//
// Methods must not be called concurrently, except for close, which interrupts them.
type conn struct {
	net   net.Conn
	in    []byte // unread bytes of the server are in[r:w]
	r, w  int
	from  int // where the message that is being read begins: it is kept until it is complete
	inbox string

	numbered bool   // answers are sent to subjects below inbox, which are numbers
	number   uint64 // of the last answer, if numbered
}

// login holds the parameters of a conn.
type login struct {
	net            net.Conn
	user, password string
	inbox          string // of answers: must be unique
	numbered       bool   // answers are sent to numbers below inbox
	buffer         int    // bytes to begin with
}

func openConn(l login) (*conn, error) {
	c := newConn(l)
	if err := c.handshake(l); err != nil {
		c.close()
		return nil, fmt.Errorf("connect to server: %w", err)
	}
	return c, nil
}

func newConn(l login) *conn {
	return &conn{net: l.net, inbox: l.inbox, numbered: l.numbered, in: make([]byte, l.buffer)}
}

// close ends the connection.
func (c *conn) close() { _ = c.net.Close() } // a pipe in memory: nothing is lost, and nothing can fail

// handshake logs in and subscribes.
func (c *conn) handshake(l login) error {
	if err := c.net.SetDeadline(time.Now().Add(handshakeTimeout)); err != nil {
		return err
	}
	if _, err := c.line(); err != nil { // INFO
		return err
	}
	options, err := json.Marshal(map[string]any{
		"user": l.user, "pass": l.password, "name": "log", "lang": "go", "version": "1", "protocol": 0,
		"verbose": false, "pedantic": false, "headers": true, "no_responders": true,
	})
	if err != nil {
		return err
	}
	answers := l.inbox
	if l.numbered {
		answers += ".*"
	}
	if _, err := c.net.Write(fmt.Appendf(nil, "CONNECT %s\r\nSUB %s 1\r\nPING\r\n", options, answers)); err != nil {
		return err
	}
	line, err := c.sober()
	if err != nil {
		return err
	}
	if !bytes.Equal(line, []byte("PONG")) {
		return unexpected(line)
	}
	return c.net.SetDeadline(time.Time{})
}

func unexpected(line []byte) error { return fmt.Errorf("%w: %.100q", errProtocol, line) }

// answer reads the next message to the inbox. Both results alias the buffer until the next call; header is empty if the
// message has none. It can be called again after a time-out (os.ErrDeadlineExceeded): nothing is lost.
func (c *conn) answer() (header, data []byte, err error) {
	if header, data, err = c.message(); errors.Is(err, os.ErrDeadlineExceeded) {
		c.r = c.from
	}
	return header, data, err
}

func (c *conn) message() (header, data []byte, err error) {
	line, err := c.sober()
	if err != nil {
		return nil, nil, err
	}
	words, withHeader := bytes.CutPrefix(line, []byte("HMSG "))
	if !withHeader {
		if words, err = c.plain(line); err != nil {
			return nil, nil, err
		}
	}
	h, n, ok := sizes(words, withHeader)
	if !ok {
		return nil, nil, unexpected(line)
	}
	if c.numbered {
		subject, _, _ := bytes.Cut(words, []byte(" "))
		c.number, _ = parseUint(subject[bytes.LastIndexByte(subject, '.')+1:])
	}
	b, err := c.take(n + len(lineEnd))
	if err != nil {
		return nil, nil, err
	}
	if !bytes.HasSuffix(b, lineEnd) {
		return nil, nil, unexpected(b)
	}
	return b[:h], b[h:n], nil
}

func (c *conn) plain(line []byte) ([]byte, error) {
	words, ok := bytes.CutPrefix(line, []byte("MSG "))
	if !ok {
		return nil, unexpected(line)
	}
	return words, nil
}

// sizes reads the last words of a message's line: the size of its header, if it has one, and its size in all.
func sizes(words []byte, withHeader bool) (header, total int, ok bool) {
	words, last := cutLast(words)
	n, ok := parseUint(last)
	if !ok || n > maxAnswer {
		return 0, 0, false
	}
	if !withHeader {
		return 0, int(n), true
	}
	_, last = cutLast(words)
	h, ok := parseUint(last)
	return int(h), int(n), ok && h <= n
}

// cutLast splits the last word off.
func cutLast(words []byte) (rest, last []byte) {
	i := bytes.LastIndexByte(words, ' ')
	return words[:max(i, 0)], words[i+1:]
}

// sober returns the next line that is not a PING or similar.
func (c *conn) sober() ([]byte, error) {
	for {
		c.from = c.r
		line, err := c.line()
		switch {
		case err != nil:
			return nil, err
		case bytes.Equal(line, []byte("PING")):
			_, _ = c.net.Write([]byte("PONG\r\n")) // if it fails the next line does too
		case !bytes.HasPrefix(line, []byte("INFO ")):
			return line, nil
		}
	}
}

// line returns the next line without its end.
func (c *conn) line() ([]byte, error) {
	for searched := 0; ; {
		if i := bytes.IndexByte(c.in[c.r+searched:c.w], '\n'); i >= 0 {
			line := c.in[c.r : c.r+searched+i]
			c.r += searched + i + 1
			return bytes.TrimSuffix(line, lineEnd[:1]), nil
		}
		if searched = c.w - c.r; searched >= maxLine {
			return nil, unexpected(c.in[c.r:c.w])
		}
		if err := c.fill(searched + 1); err != nil {
			return nil, err
		}
	}
}

// take returns the next n bytes.
func (c *conn) take(n int) ([]byte, error) {
	for c.w-c.r < n {
		if err := c.fill(n); err != nil {
			return nil, err
		}
	}
	b := c.in[c.r : c.r+n]
	c.r += n
	return b, nil
}

// fill reads once, after making room for need unread bytes. The content of the buffer may move.
func (c *conn) fill(need int) error {
	if c.from == c.w {
		c.from, c.r, c.w = 0, 0, 0
	}
	if c.r+need > len(c.in) || c.w == len(c.in) {
		to, read := c.in, c.r-c.from
		if read+need > len(to) {
			to = make([]byte, read+need+readBuffer)
		}
		c.w = copy(to, c.in[c.from:c.w])
		c.in, c.from, c.r = to, 0, read
	}
	n, err := c.net.Read(c.in[c.w:])
	c.w += n
	if n > 0 {
		return nil
	}
	return err
}

// parseUint parses all of b as a decimal number. Unlike strconv it takes bytes, without a copy.
func parseUint(b []byte) (n uint64, ok bool) {
	if len(b) == 0 || len(b) > 19 { // 19 digits always fit
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return n, true
}
