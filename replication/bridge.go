package replication

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"

	"github.com/nats-io/nats.go"
)

// bridge stands in for the embedded server: it forwards what a conn sends and asks for to servers elsewhere, so a log
// is written and read in one way, wherever it is. What is sent while there is no connection is lost, as on any network;
// conns send again what is not answered.
type bridge struct {
	nc   *nats.Conn
	conn net.Conn // the end of a pipe
	in   *bufio.Reader
	body []byte             // of the message that is read
	sub  *nats.Subscription // to the conn's inbox
	out  sync.Mutex         // held while conn is written
}

// newBridge returns the conn's end of a new bridge. The bridge ends when that is closed.
func newBridge(nc *nats.Conn) net.Conn {
	near, far := net.Pipe()
	b := &bridge{nc: nc, conn: far, in: bufio.NewReaderSize(far, maxLine)}
	go b.run()
	return near
}

func (b *bridge) run() {
	err := b.say("INFO {}\r\n")
	for err == nil {
		err = b.serve()
	}
	if b.sub != nil {
		_ = b.sub.Unsubscribe() // or the connection is closed
	}
	_ = b.conn.Close() // a pipe in memory
}

func (b *bridge) say(text string) error {
	b.out.Lock()
	defer b.out.Unlock()
	_, err := io.WriteString(b.conn, text)
	return err
}

// serve executes one line of the protocol.
func (b *bridge) serve() (err error) {
	line, err := b.in.ReadSlice('\n')
	if err != nil {
		return err
	}
	words := bytes.Fields(line)
	if len(words) == 0 {
		return unexpected(line)
	}
	switch verb := string(words[0]); {
	case verb == "CONNECT":
		return nil
	case verb == "PING":
		if err := b.nc.FlushTimeout(askTimeout); err != nil { // the subscription is known to the server
			return err
		}
		return b.say("PONG\r\n")
	case verb == "PONG":
		return nil
	case verb == "SUB" && len(words) == 3:
		if b.sub, err = b.nc.Subscribe(string(words[1]), b.deliver); err != nil {
			return err
		}
		return b.sub.SetPendingLimits(-1, -1)
	case verb == "PUB" && len(words) == 4, verb == "HPUB" && len(words) == 5:
		return b.publish(words[1:])
	}
	return unexpected(line)
}

// publish forwards a message: its subject, the subject for the answer, the size of its header, if any, and its total
// size.
func (b *bridge) publish(words [][]byte) error {
	m := &nats.Msg{Subject: string(words[0]), Reply: string(words[1])}
	var sizes [2]uint64
	for i, word := range words[2:] {
		n, ok := parseUint(word)
		if !ok || n > maxAnswer {
			return unexpected(word)
		}
		sizes[i] = n
	}
	header, all := sizes[0], sizes[1]
	if len(words) == 3 {
		header, all = 0, sizes[0]
	}
	if need := int(all) + len(lineEnd); cap(b.body) < need {
		b.body = make([]byte, need)
	}
	body := b.body[:int(all)+len(lineEnd)]
	if _, err := io.ReadFull(b.in, body); err != nil {
		return err
	}
	if header > all {
		return unexpected(body[:0])
	}
	m.Data = body[header:all]
	if header > 0 {
		var err error
		if m.Header, err = nats.DecodeHeadersMsg(body[:header]); err != nil {
			return err
		}
	}
	if err := b.nc.PublishMsg(m); errors.Is(err, nats.ErrConnectionClosed) || errors.Is(err, nats.ErrMaxPayload) {
		return err
	}
	return nil
}

// deliver sends a message to the conn's inbox.
func (b *bridge) deliver(m *nats.Msg) {
	header := encodeHeader(m.Header)
	var text []byte
	if header == nil {
		text = fmt.Appendf(nil, "MSG %s 1 %d\r\n", m.Subject, len(m.Data))
	} else {
		text = fmt.Appendf(nil, "HMSG %s 1 %d %d\r\n", m.Subject, len(header), len(header)+len(m.Data))
	}
	text = append(append(append(text, header...), m.Data...), lineEnd...)
	b.out.Lock()
	defer b.out.Unlock()
	_, _ = b.conn.Write(text) // if the conn is closed, run ends
}

// Names under which nats.go has the first line of a header.
const (
	headerStatus = "Status"
	headerWords  = "Description"
)

// encodeHeader encodes a header; nil if there is none.
func encodeHeader(h nats.Header) []byte {
	if len(h) == 0 {
		return nil
	}
	b := []byte("NATS/1.0")
	if code := h.Get(headerStatus); code != "" {
		if _, err := strconv.Atoi(code); err == nil {
			b = append(append(b, ' '), code...)
		}
		if words := h.Get(headerWords); words != "" {
			b = append(append(b, ' '), words...)
		}
	}
	b = append(b, lineEnd...)
	for name, values := range h {
		if name == headerStatus || name == headerWords {
			continue
		}
		for _, v := range values {
			b = append(append(append(append(b, name...), ": "...), v...), lineEnd...)
		}
	}
	return append(b, lineEnd...)
}
