package replication

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// answering returns a publisher whose server says what is given, and no more.
func answering(t testing.TB, said []byte) *publisher {
	t.Helper()
	conn, srv := net.Pipe()
	p := newPublisher(newConn(login{net: conn, inbox: "b", buffer: 16}), logID{"s", 0}, func() error { return nil })
	go func() {
		_, _ = srv.Write(said) // fails when it has heard enough
		_ = srv.Close()
	}()
	go func() { _, _ = io.Copy(io.Discard, srv) }()
	t.Cleanup(p.close)
	return p
}

func msg(payload string) string { return fmt.Sprintf("MSG b 1 %d\r\n%s\r\n", len(payload), payload) }

func TestPublisher_Answers(t *testing.T) {
	t.Parallel()
	const stored = `{"stream":"log-s-0","seq":17}`
	for said, want := range map[string]uint64{
		msg(stored):                                            17,
		"PING\r\n" + msg(stored):                               17,
		"INFO {\"a\":1}\r\n" + msg(stored):                     17,
		msg(`{"stream":"log-s-0","seq":1}`) + msg(stored):      1,
		msg(`{"stream":"other","seq":17}`):                     0,
		msg(`{"stream":"log-s-0","seq":17,"duplicate":true}`):  0, // no message of ours can be one
		msg(`{"stream":"log-s-0","seq":0}`):                    0,
		msg(`{"stream":"log-s-0","seq":99999999999999999999}`): 0,
		msg(``):                              0,
		"MSG b 1 999999999\r\n":              0,
		"MSG b 1 x\r\n":                      0,
		"MSG \r\n":                           0,
		"MSG b 1 50\r\n" + stored:            0,
		noReply:                              0,
		"-ERR 'Authorization Violation'\r\n": 0,
		"\r\n":                               0,
		"":                                   0,
		string(bytes.Repeat([]byte("x"), 2*maxLine)): 0,
	} {
		pos, err := answering(t, []byte(said)).position()
		require.Equal(t, want, pos, "%.100q", said)
		if want > 0 {
			require.NoError(t, err)
			continue
		}
		require.Error(t, err)
		require.True(t, unknown(err), "%.100q is no refusal", said)
	}
}

func TestPublisher_RefusalIsDefinite(t *testing.T) {
	t.Parallel()
	p := answering(t, []byte(msg(
		`{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 5"},"stream":"log-s-0","seq":0}`)))
	_, err := p.position()
	require.False(t, unknown(err))
	require.True(t, refusedFor(err, codeWrongLast))
	require.EqualError(t, err, "wrong last sequence: 5 (10071)")
}

func TestPublisher_WithoutStreamNobodyAnswers(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	srv, err := s.server()
	require.NoError(t, err)
	p, err := srv.publisher(logID{"nobody", 0})
	require.NoError(t, err)
	defer p.close()
	_, err = p.publish(commit(1, 10), 0)
	require.ErrorIs(t, err, errProtocol)
}

func TestPublisher_WrongPasswordIsRefused(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	srv, err := s.server()
	require.NoError(t, err)
	intruder := *srv
	intruder.password = "guessed"
	_, err = intruder.publisher(logID{"test", 0})
	require.ErrorContains(t, err, "Authorization Violation")
}

func TestPublisher_OverdueAnswerOfASickStreamEndsTheWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		conn, srv := net.Pipe()
		asked := 0
		p := newPublisher(newConn(login{net: conn, inbox: "b", buffer: 16}), logID{"s", 0}, func() error {
			if asked++; asked < 5 {
				return nil // a slow disk is waited for
			}
			return errors.New("sick")
		})
		defer p.close()
		go func() { _, _ = io.Copy(io.Discard, srv) }() // it takes the message, and never answers
		began := time.Now()
		_, err := p.publish(commit(1, 10), 0)
		require.ErrorIs(t, err, io.ErrClosedPipe)
		require.Equal(t, 5*overdue, time.Since(began))
	})
}
