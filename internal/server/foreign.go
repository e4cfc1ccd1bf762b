package server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/gospaces/gospaces/internal/wire"
)

// httpMethods are the first bytes of HTTP requests, such as those of browsers, health checks and scanners.
var httpMethods = [][]byte{
	[]byte("GET "), []byte("HEAD "), []byte("POST "), []byte("PUT "), []byte("DELETE "), []byte("OPTIONS "),
	[]byte("PATCH "),
	[]byte("CONNECT "), []byte("TRACE "), []byte("PRI "),
}

// tlsHandshake is the first bytes of a TLS client.
var tlsHandshake = []byte{0x16, 0x03}

// isHTTP reports whether first, the first bytes of a connection, are those of an HTTP request.
func isHTTP(first []byte) bool {
	return slices.ContainsFunc(httpMethods, func(m []byte) bool { return bytes.HasPrefix(first, m) })
}

// foreign returns a clearer error than err for a client whose first bytes are of another protocol, or that was too
// slow.
func foreign(first []byte, err error) error {
	switch {
	case isHTTP(first):
		return fmt.Errorf("%w: an HTTP request, and this is a gospaces server", wire.ErrMalformed)
	case bytes.HasPrefix(first, tlsHandshake):
		return fmt.Errorf("%w: a TLS handshake, and this is a gospaces server without TLS", wire.ErrMalformed)
	case isGone(err):
		return errors.New("the client has gone during the handshake")
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("no handshake within %v", helloTimeout)
	}
	return err
}

// isGone reports whether err is that of reading from a connection which the other side has closed.
func isGone(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)
}

// answerHTTP replies to an HTTP request with one line that says what listens here.
func answerHTTP(nc net.Conn) {
	line := fmt.Sprintf("this is a gospaces server, which does not speak HTTP: try `gospaces status --addr %s`\n",
		nc.LocalAddr())
	_, _ = fmt.Fprintf(nc,
		"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n"+
			"Connection: close\r\n\r\n%s", len(line), line)
	// If a connection is closed with unread bytes, the other side may lose the answer.
	if half, ok := nc.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		_ = nc.SetReadDeadline(time.Now().Add(time.Second))
		_, _ = io.CopyN(io.Discard, nc, 64<<10)
	}
}
