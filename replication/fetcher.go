package replication

import (
	"bytes"
	"fmt"
	"time"
)

const (
	// fetchMessages and fetchBytes limit one fetch. The server stores no message while it reads messages for a fetch,
	// so they limit how long an append waits for readers that catch up. One message comes even if it is larger.
	fetchMessages = 1024
	fetchBytes    = 512 << 10
)

// message is one stored message of a log.
type message struct {
	pos  uint64
	time int64 // nanoseconds since the Unix epoch
	data []byte
}

// fetcher reads messages of one stream, some at a time. It needs no consumer on the server, whose state could be lost:
// the server sends only what was requested. fetch must not be called concurrently; close may be called at any time and
// interrupts it.
type fetcher struct {
	conn  *conn
	head  []byte        // beginning of every request
	out   []byte        // scratch for the request
	limit time.Duration // of the time for one answer; 0: none
}

// newFetcher returns a fetcher that owns c.
func newFetcher(c *conn, id logID) *fetcher {
	return &fetcher{conn: c, head: fmt.Appendf(nil, "PUB $JS.API.DIRECT.GET.%s %s ", id.stream(), c.inbox)}
}

func (f *fetcher) close() { f.conn.close() }

// fetch calls fn for messages from position from on, in order, at most limit. It returns when there are no more, or
// after a batch. Empty positions are skipped. The message is valid only during fn. After an error, including fn's, the
// fetcher must not be used.
func (f *fetcher) fetch(from, limit uint64, fn func(message) error) error {
	if err := f.ask(from, min(limit, fetchMessages)); err != nil {
		return err
	}
	for {
		if f.limit > 0 {
			_ = f.conn.net.SetReadDeadline(time.Now().Add(f.limit)) // if it fails, so does the answer
		}
		header, data, err := f.conn.answer()
		if err != nil {
			return err
		}
		if code, ok := status(header); ok {
			if code == "204" || code == "404" { // the end of the request; or nothing there
				return nil
			}
			return unexpected(header)
		}
		m := message{data: data}
		if m.pos, m.time, err = origin(header); err != nil {
			return err
		}
		if err := fn(m); err != nil {
			return err
		}
	}
}

func (f *fetcher) ask(from, messages uint64) error {
	var room [96]byte
	request := fmt.Appendf(room[:0], `{"seq":%d,"batch":%d,"max_bytes":%d}`, from, messages, fetchBytes)
	f.out = fmt.Appendf(append(f.out[:0], f.head...), "%d\r\n%s\r\n", len(request), request)
	_, err := f.conn.net.Write(f.out)
	return err
}

// status returns the code of an answer without a message.
func status(header []byte) (code string, ok bool) {
	line, _, _ := bytes.Cut(header, lineEnd)
	_, words, ok := bytes.Cut(line, []byte(" "))
	if !ok && len(header) > 0 {
		return "", false
	}
	if len(words) < 3 {
		return "", true // nothing that fetch knows
	}
	return string(words[:3]), true
}

// origin reads the position and time of a message from the header.
func origin(header []byte) (pos uint64, unix int64, err error) {
	pos, ok := parseUint(field(header, "\r\nNats-Sequence: "))
	if !ok {
		return 0, 0, unexpected(header)
	}
	t, err := time.Parse(time.RFC3339Nano, string(field(header, "\r\nNats-Time-Stamp: ")))
	if err != nil {
		return 0, 0, unexpected(header)
	}
	return pos, t.UnixNano(), nil
}

// field returns the value of the last field of a name: the server's fields follow those stored with the message.
func field(header []byte, name string) []byte {
	i := bytes.LastIndex(header, []byte(name))
	if i < 0 {
		return nil
	}
	value, _, _ := bytes.Cut(header[i+len(name):], lineEnd)
	return value
}
