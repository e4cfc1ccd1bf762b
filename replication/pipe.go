package replication

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync/atomic"
	"time"
)

const (
	// oneWrite is the largest message that publish copies, to hand it over in one piece. Each Write on the
	// server's in-process connection is a rendezvous with its reader, which costs more than copying this much.
	oneWrite = 32 << 10

	// ackBuffer bounds a line, or an answer, of the server. Acknowledgements are about a hundred bytes; the longest
	// line is the INFO that greets a client.
	ackBuffer = 16 << 10

	// handshakeTimeout bounds the dialogue that opens a pipe. No disk takes part in it.
	handshakeTimeout = 30 * time.Second

	// overdue is how long an acknowledgement may take before the stream's health is asked for, and how often it is asked then.
	overdue = time.Second
)

// pipe is a client of the embedded server that can do one thing: publish to the subject of one stream and wait for the
// acknowledgement. It speaks the NATS protocol over the server's in-process connection itself, because with one
// message in flight the publisher can read its own acknowledgement: nothing of what makes a general client costly
// (a reading goroutine, a flusher, subscriptions, channels, a JSON decoder) is between the log and its disk.
//
// Nobody reads between two calls of publish. That is safe because a server started by startServer sends nothing
// on its own accord: neither pings nor topology updates.
//
// publish may not be called concurrently; close may be called at any time and interrupts it.
type pipe struct {
	conn   net.Conn
	head   []byte // what every publish begins with
	acked  []byte // what every positive acknowledgement begins with; the position and a brace follow
	out    []byte // scratch for the message under way
	in     []byte // unread bytes of the server are in[r:w]
	r, w   int
	usable func() error // tells why no acknowledgement can come any more

	busy  atomic.Bool // publish waits for the server
	watch *time.Timer // runs check
}

// refusal is a stream's definite answer that it did not store a message.
type refusal struct {
	Code        int    `json:"err_code"`
	Description string `json:"description"`
}

func (r *refusal) Error() string { return fmt.Sprintf("%s (%d)", r.Description, r.Code) }

// errProtocol is returned when the server says what this client does not expect of it.
var errProtocol = errors.New("unexpected answer from server")

// pipeConfig says what a pipe leads to.
type pipeConfig struct {
	conn            net.Conn // to the server; the pipe owns it
	user, password  string
	stream, subject string
	acks            string       // the subject for acknowledgements; unique
	usable          func() error // asked, in a goroutine of its own, when an acknowledgement is overdue; an error ends the wait
}

// openPipe makes a pipe of a fresh connection.
func openPipe(cfg pipeConfig) (*pipe, error) {
	p := &pipe{
		conn:   cfg.conn,
		head:   fmt.Appendf(nil, "HPUB %s %s ", cfg.subject, cfg.acks),
		acked:  fmt.Appendf(nil, `{"stream":%q,"seq":`, cfg.stream),
		in:     make([]byte, ackBuffer),
		usable: cfg.usable,
	}
	p.watch = time.AfterFunc(overdue, p.check)
	p.watch.Stop()
	if err := p.handshake(cfg); err != nil {
		p.close()
		return nil, fmt.Errorf("connect to server: %w", err)
	}
	return p, nil
}

// handshake logs in and subscribes to the acknowledgements.
func (p *pipe) handshake(cfg pipeConfig) error {
	if err := p.conn.SetDeadline(time.Now().Add(handshakeTimeout)); err != nil {
		return err
	}
	if _, err := p.line(); err != nil { // INFO
		return err
	}
	options, err := json.Marshal(map[string]any{
		"user": cfg.user, "pass": cfg.password, "name": "log", "lang": "go", "version": "1", "protocol": 1,
		"verbose": false, "pedantic": false, "headers": true, "no_responders": true,
	})
	if err != nil {
		return err
	}
	if _, err := p.conn.Write(fmt.Appendf(nil, "CONNECT %s\r\nSUB %s 1\r\nPING\r\n", options, cfg.acks)); err != nil {
		return err
	}
	for {
		line, err := p.line()
		if err != nil {
			return err
		}
		if bytes.Equal(line, []byte("PONG")) {
			return p.conn.SetDeadline(time.Time{})
		}
		if !bytes.HasPrefix(line, []byte("INFO ")) {
			return fmt.Errorf("%w: %.100q", errProtocol, line)
		}
	}
}

// close ends the connection; a publish under way returns an error.
func (p *pipe) close() {
	p.watch.Stop()
	_ = p.conn.Close() // a pipe in memory: nothing is lost, and nothing can fail
}

// anywhere tells publish to store the message at whatever position is next.
const anywhere = ^uint64(0)

// publish stores msg at the position after last, and returns its position. A *refusal says that it was not stored; after any
// other error that is unknown and the pipe is of no more use.
func (p *pipe) publish(msg []byte, last uint64) (uint64, error) {
	p.busy.Store(true)
	p.watch.Reset(overdue)
	defer func() {
		p.watch.Stop()
		p.busy.Store(false)
	}()
	if err := p.send(msg, last); err != nil {
		return 0, err
	}
	return p.ack()
}

// check runs when an acknowledgement is overdue. A slow disk is waited for without end, but a stream that has failed
// to write never answers.
func (p *pipe) check() {
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
	if last != anywhere {
		b = strconv.AppendUint(append(b, headerLast...), last, 10)
		b = append(b, "\r\n"...)
	}
	return append(b, headerEnd...)
}

func (p *pipe) send(msg []byte, last uint64) error {
	var room [64]byte
	header := appendHeader(room[:0], last)
	b := append(p.out[:0], p.head...)
	b = strconv.AppendInt(b, int64(len(header)), 10)
	b = strconv.AppendInt(append(b, ' '), int64(len(header)+len(msg)), 10)
	b = append(append(b, "\r\n"...), header...)
	p.out = b
	if len(msg) <= oneWrite {
		p.out = append(append(b, msg...), "\r\n"...)
		_, err := p.conn.Write(p.out)
		return err
	}
	for _, part := range [...][]byte{b, msg, lineEnd} {
		if _, err := p.conn.Write(part); err != nil {
			return err
		}
	}
	return nil
}

var lineEnd = []byte("\r\n")

// ack reads until the answer to the message under way has come.
func (p *pipe) ack() (uint64, error) {
	for {
		line, err := p.line()
		if err != nil {
			return 0, err
		}
		switch {
		case bytes.HasPrefix(line, []byte("MSG ")):
			payload, err := p.payload(line)
			if err != nil {
				return 0, err
			}
			return p.position(payload)
		case bytes.Equal(line, []byte("PING")):
			if _, err := p.conn.Write([]byte("PONG\r\n")); err != nil {
				return 0, err
			}
		case bytes.HasPrefix(line, []byte("INFO ")):
		default: // an error, or a status message: no stream listens to the subject
			return 0, fmt.Errorf("%w: %.100q", errProtocol, line)
		}
	}
}

// position decodes an acknowledgement.
func (p *pipe) position(payload []byte) (uint64, error) {
	if digits, ok := bytes.CutPrefix(payload, p.acked); ok {
		if digits, ok = bytes.CutSuffix(digits, []byte("}")); ok {
			if pos, ok := parseUint(digits); ok && pos > 0 {
				return pos, nil
			}
		}
	}
	var answer struct {
		Error *refusal `json:"error"`
	}
	if err := json.Unmarshal(payload, &answer); err != nil || answer.Error == nil {
		return 0, fmt.Errorf("%w: %.100q", errProtocol, payload)
	}
	return 0, answer.Error
}

// line returns the next line without its end. It aliases the buffer until the next call.
func (p *pipe) line() ([]byte, error) {
	for searched := 0; ; {
		if i := bytes.IndexByte(p.in[p.r+searched:p.w], '\n'); i >= 0 {
			line := p.in[p.r : p.r+searched+i]
			p.r += searched + i + 1
			return bytes.TrimSuffix(line, []byte("\r")), nil
		}
		searched = p.w - p.r
		if err := p.fill(); err != nil {
			return nil, err
		}
	}
}

// payload returns what follows a MSG line: as many bytes as its last word says, and a line end that is dropped.
func (p *pipe) payload(line []byte) ([]byte, error) {
	n, ok := parseUint(line[bytes.LastIndexByte(line, ' ')+1:])
	if !ok || n > ackBuffer-2 {
		return nil, fmt.Errorf("%w: %.100q", errProtocol, line)
	}
	for p.w-p.r < int(n)+2 {
		if err := p.fill(); err != nil {
			return nil, err
		}
	}
	b := p.in[p.r : p.r+int(n)]
	p.r += int(n) + 2
	return b, nil
}

// fill reads more, after making room for it.
func (p *pipe) fill() error {
	if p.r > 0 {
		p.w = copy(p.in, p.in[p.r:p.w])
		p.r = 0
	}
	if p.w == len(p.in) {
		return fmt.Errorf("%w: more than %d bytes", errProtocol, len(p.in))
	}
	n, err := p.conn.Read(p.in[p.w:])
	p.w += n
	if n > 0 {
		return nil
	}
	return err
}

// parseUint reads a decimal number that is all of b. Unlike strconv it does not allocate for bytes.
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
