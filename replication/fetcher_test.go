package replication

import (
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// hmsg returns a message with a header as the server sends it.
func hmsg(header, data string) string {
	return fmt.Sprintf("HMSG b 1 %d %d\r\n%s%s\r\n", len(header), len(header)+len(data), header, data)
}

var (
	// stored is the message "data" of position 7; its author tried to put it elsewhere.
	stored = hmsg("NATS/1.0\r\nNats-Sequence: 99\r\nNats-Stream: log-s-0\r\nNats-Subject: gs.log.s.0\r\n"+
		"Nats-Sequence: 7\r\nNats-Time-Stamp: 2026-01-02T03:04:05.000000006Z\r\nNats-Num-Pending: 1\r\n\r\n", "data")

	endOfBatch = hmsg("NATS/1.0 204 EOB\r\n\r\n", "")
	notFound   = hmsg("NATS/1.0 404 Message Not Found\r\n\r\n", "")
	noReply    = hmsg("NATS/1.0 503\r\n\r\n", "")
)

// fetching fetches from a server that says what is given, and no more.
func fetching(said []byte, fn func(message) error) error {
	c, srv := net.Pipe()
	f := newFetcher(newConn(login{net: c, inbox: "b", buffer: 16}), logID{"s", 0})
	defer f.close()
	go func() { _, _ = io.Copy(io.Discard, srv) }()
	go func() {
		_, _ = srv.Write(said) // fails when fetch has heard enough
		_ = srv.Close()
	}()
	return f.fetch(7, 3, fn)
}

func TestFetch_Answers(t *testing.T) {
	t.Parallel()
	count := func(said string) (n int, err error) {
		err = fetching([]byte(said), func(m message) error {
			n++
			require.EqualValues(t, 7, m.pos)
			require.Equal(t, time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC).UnixNano(), m.time)
			require.Equal(t, "data", string(m.data))
			return nil
		})
		return n, err
	}
	for said, want := range map[string]int{
		notFound:                       0,
		endOfBatch:                     0,
		stored + endOfBatch:            1,
		stored + stored + endOfBatch:   2,
		"PING\r\n" + stored + notFound: 1,
	} {
		n, err := count(said)
		require.NoError(t, err, "%q", said)
		require.Equal(t, want, n, "%q", said)
	}
	for _, said := range []string{
		"", stored, stored[:100], // it breaks off
		noReply,
		hmsg("NATS/1.0\r\n\r\n", "data"), // no position
		"HMSG b 1 0 4\r\ndata, and more\r\n",
		"MSG b 1 4\r\ndata\r\n",
		"HMSG b 1 20 10\r\n",
		"HMSG b 1 20 999999999\r\n",
		"-ERR 'Slow Consumer'\r\n",
	} {
		_, err := count(said)
		require.Error(t, err, "%q", said)
	}
}

func TestFetch_ErrorOfCallbackEndsIt(t *testing.T) {
	t.Parallel()
	enough := errors.New("enough")
	require.ErrorIs(t, fetching([]byte(stored+stored+endOfBatch), func(message) error { return enough }), enough)
}

// FuzzConn feeds both clients with what a server might say.
func FuzzConn(f *testing.F) {
	f.Add([]byte(stored + endOfBatch))
	f.Add([]byte(notFound))
	f.Add([]byte(msg(`{"stream":"log-s-0","seq":17}`)))
	f.Add([]byte("PING\r\nINFO {}\r\n" + msg(`{"error":{"err_code":10071}}`)))
	f.Add([]byte(noReply))
	f.Add([]byte("MSG b 1 -1\r\n"))
	f.Fuzz(func(t *testing.T, said []byte) {
		pos, err := answering(t, said).position()
		require.Equal(t, err == nil, pos > 0)
		if err == nil {
			require.Contains(t, string(said), `{"stream":"log-s-0","seq":`)
		}
		_ = fetching(said, func(m message) error {
			require.LessOrEqual(t, len(m.data), len(said))
			return nil
		})
	})
}
