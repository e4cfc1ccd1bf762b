package replication

import (
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// numberedMsg is an answer to the message after a position.
func numberedMsg(last uint64, payload string) string {
	return fmt.Sprintf("MSG b.%d 1 %d\r\n%s\r\n", last, len(payload), payload)
}

func storedAt(pos uint64) string { return fmt.Sprintf(`{"stream":"log-s-0","seq":%d}`, pos) }

const wrongLast = `{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 5"},"stream":"log-s-0","seq":0}`

// sending returns a publisher of a cluster, and the server's end of its connection.
func sending(t testing.TB) (*publisher, net.Conn) {
	t.Helper()
	conn, srv := net.Pipe()
	p := newPublisher(newConn(login{net: conn, inbox: "b", numbered: true, buffer: 16}), logID{"s", 0}, nil)
	t.Cleanup(func() {
		p.close()
		_ = srv.Close()
	})
	return p, srv
}

func TestAttempt_TellsAnswersApart(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]uint64{
		numberedMsg(6, storedAt(7)): 7,
		numberedMsg(5, wrongLast) + numberedMsg(5, storedAt(6)) + numberedMsg(6, storedAt(7)): 7,
		"PING\r\n" + numberedMsg(5, wrongLast) + numberedMsg(6, wrongLast):                    0,
		"HMSG b.5 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\n" + numberedMsg(6, storedAt(7)):          7,
	} {
		p, srv := sending(t)
		go func() { _, _ = io.Copy(io.Discard, srv) }()
		go func() { _, _ = io.WriteString(srv, said) }()
		pos, err := p.attempt(commit(1, 10), 6)
		require.Equal(t, want, pos, said)
		require.Equal(t, want == 0, refusedFor(err, codeWrongLast), said)
	}
	p, srv := sending(t)
	go func() { _, _ = io.Copy(io.Discard, srv) }()
	go func() { _, _ = io.WriteString(srv, "HMSG b.6 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\n") }()
	_, err := p.attempt(commit(1, 10), 6)
	require.ErrorIs(t, err, errUnserved)
}

// An answer that comes in pieces, with pauses in which the message is sent again, is understood.
func TestAttempt_OutlivesATimeOutAmidAnAnswer(t *testing.T) {
	t.Parallel()
	answer := numberedMsg(6, storedAt(7))
	for cut := range len(answer) {
		synctest.Test(t, func(t *testing.T) {
			p, srv := sending(t)
			sent := make(chan string, 1)
			go func() {
				b, _ := io.ReadAll(srv)
				sent <- string(b)
			}()
			go func() {
				_, _ = io.WriteString(srv, answer[:cut])
				time.Sleep(patience + patience/2)
				_, _ = io.WriteString(srv, answer[cut:])
			}()
			_, err := p.attempt(commit(1, 10), 6)
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			pos, err := p.attempt(commit(1, 10), 6)
			require.NoError(t, err)
			require.EqualValues(t, 7, pos)
			p.close()
			half := <-sent
			require.Equal(t, half[:len(half)/2], half[len(half)/2:], "the same bytes")
			require.Contains(t, half, "HPUB gs.log.s.0 b.6 ")
			require.Contains(t, half, headerLast+strconv.Itoa(6)+"\r\n")
			require.Equal(t, 2, strings.Count(half, "HPUB"))
		})
	}
}

func TestSilence_IsWaitedForLonger(t *testing.T) {
	t.Parallel()
	var s silence
	now := time.Now()
	require.Equal(t, firstLimit, s.limit(now))
	for want := 2 * firstLimit; want < lastLimit; want *= 2 {
		s.note(now)
		require.Equal(t, want, s.limit(now))
	}
	for range 100 {
		s.note(now)
	}
	require.Equal(t, lastLimit, s.limit(now))
	require.Equal(t, firstLimit, s.limit(now.Add(silencePause+1)))
}
