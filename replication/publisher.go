package replication

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"
)

const (
	// oneWrite is the size up to which publish copies a message, to write it at once. Each Write on the server's
	// in-process connection is a rendezvous with its reader, which costs more than copying this much.
	oneWrite = 32 << 10

	// overdue is how long an acknowledgement may be missing before the stream's health is checked, and the interval of
	// further checks.
	overdue = time.Second
)

// publisher stores messages in one stream, one at a time. publish must not be called concurrently; close may be called
// at any time and interrupts it.
type publisher struct {
	conn   *conn
	head   []byte       // beginning of every publish
	acked  []byte       // beginning of every positive acknowledgement; the position and a brace follow
	out    []byte       // scratch for the message under way
	usable func() error // returns the error if no acknowledgement can come any more

	busy  atomic.Bool // publish waits for the server
	watch *time.Timer // runs check
}

// refusal is a stream's definite answer that it has not stored a message.
type refusal struct {
	Code        int    `json:"err_code"`
	Description string `json:"description"`
}

func (r *refusal) Error() string { return fmt.Sprintf("%s (%d)", r.Description, r.Code) }

// unserved is the status of an answer if no stream listens to the subject, and errUnserved its error.
const unserved = "503"

var errUnserved = fmt.Errorf("%w: no stream takes the message", errProtocol)

// newPublisher returns a publisher that owns c. usable is called, in a goroutine of its own, when an acknowledgement is
// overdue; an error of it ends the wait.
func newPublisher(c *conn, id logID, usable func() error) *publisher {
	p := &publisher{
		conn:   c,
		head:   fmt.Appendf(nil, "HPUB %s %s ", id.subject(), c.inbox),
		acked:  fmt.Appendf(nil, `{"stream":%q,"seq":`, id.stream()),
		usable: usable,
	}
	p.watch = time.AfterFunc(overdue, p.check)
	p.watch.Stop()
	return p
}

// close ends the connection; a publish under way returns an error.
func (p *publisher) close() {
	p.watch.Stop()
	p.conn.close()
}

// publish stores msg at the position after last, and returns its position. After a *refusal the message was not stored;
// after any other error that is unknown, and the publisher must not be used.
func (p *publisher) publish(msg []byte, last uint64) (uint64, error) {
	p.busy.Store(true)
	p.watch.Reset(overdue)
	defer func() {
		p.watch.Stop()
		p.busy.Store(false)
	}()
	if err := p.send(msg, last); err != nil {
		return 0, err
	}
	return p.position()
}

// check runs when an acknowledgement is overdue. publish waits for a slow disk without a limit, but a stream that has
// failed to write never answers.
func (p *publisher) check() {
	if err := p.usable(); err != nil {
		p.close()
		return
	}
	if p.busy.Load() {
		p.watch.Reset(overdue) // if publish returns at this moment, the next check finds it so
	}
}

const (
	headerBegin = "NATS/1.0\r\n"
	headerLast  = "Nats-Expected-Last-Sequence: "
	headerEnd   = "\r\n"
)

// appendHeader appends the header that comes before a message.
func appendHeader(b []byte, last uint64) []byte {
	b = append(b, headerBegin...)
	b = strconv.AppendUint(append(b, headerLast...), last, 10)
	return append(b, "\r\n"+headerEnd...)
}

func (p *publisher) send(msg []byte, last uint64) error {
	var room [64]byte
	header := appendHeader(room[:0], last)
	b := append(p.out[:0], p.head...)
	if p.conn.numbered {
		b = append(strconv.AppendUint(append(b[:len(b)-1], '.'), last, 10), ' ')
	}
	b = strconv.AppendInt(b, int64(len(header)), 10)
	b = strconv.AppendInt(append(b, ' '), int64(len(header)+len(msg)), 10)
	b = append(append(b, "\r\n"...), header...)
	p.out = b
	if len(msg) <= oneWrite {
		p.out = append(append(b, msg...), "\r\n"...)
		_, err := p.conn.net.Write(p.out)
		return err
	}
	for _, part := range [...][]byte{b, msg, lineEnd} {
		if _, err := p.conn.net.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// position reads the answer to the message under way.
func (p *publisher) position() (uint64, error) {
	header, ack, err := p.conn.answer()
	if err != nil {
		return 0, err
	}
	if code, ok := status(header); ok && code == unserved {
		return 0, errUnserved
	}
	if len(header) > 0 {
		return 0, unexpected(header)
	}
	if digits, ok := bytes.CutPrefix(ack, p.acked); ok {
		if digits, ok = bytes.CutSuffix(digits, []byte("}")); ok {
			if pos, ok := parseUint(digits); ok && pos > 0 {
				return pos, nil
			}
		}
	}
	var answer struct {
		Error *refusal `json:"error"`
	}
	if err := json.Unmarshal(ack, &answer); err != nil || answer.Error == nil {
		return 0, unexpected(ack)
	}
	return 0, answer.Error
}
