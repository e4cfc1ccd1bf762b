package replication

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
)

// startServer starts a NATS server that is in no cluster, and returns its URL, with a user and without.
func startServer(t *testing.T, o server.Options) (url, bare string) {
	o.Host, o.Port, o.NoSigs, o.NoLog, o.StoreDir = "127.0.0.1", server.RANDOM_PORT, true, true, t.TempDir()
	o.Username, o.Password = "spaces", "secret"
	srv, err := server.NewServer(&o)
	require.NoError(t, err)
	srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	require.True(t, srv.ReadyForConnections(time.Minute))
	host := srv.Addr().String()
	return "nats://spaces:secret@" + host, "nats://" + host
}

// outside returns the configuration of a node whose logs NATS servers keep.
func outside(t *testing.T, cluster, url string) Config {
	return Config{Dir: t.TempDir(), Cluster: &Cluster{
		Name: cluster, Node: "a", Peers: []Peer{{Name: "a"}, {Name: "b"}, {Name: "c"}}, NATS: &NATS{URL: url},
	}}
}

func TestOutside_SaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	small, _ := startServer(t, server.Options{JetStream: true})
	plain, _ := startServer(t, server.Options{MaxPayload: maxPayload})
	_, bare := startServer(t, server.Options{MaxPayload: maxPayload, JetStream: true})
	for url, want := range map[string]string{
		small: "they take messages of up to 1048576 bytes: set their max_payload to 16842752 or more",
		plain: "jetstream not enabled",
		bare:  "Authorization Violation",
		"":    "Cluster.NATS is missing",
	} {
		_, err := Open(t.Context(), outside(t, "prod", url))
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "secret")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := Open(ctx, outside(t, "prod", "nats://127.0.0.1:1"))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "no servers available")
	keyed := outside(t, "prod", bare)
	keyed.Cluster.Key = []byte("0123456789abcdef")
	_, err = Open(t.Context(), keyed)
	require.ErrorContains(t, err, "they do not listen for each other")
}

func TestOutside_OneServerHasNoReplicas(t *testing.T) {
	t.Parallel()
	url, _ := startServer(t, server.Options{MaxPayload: maxPayload, JetStream: true})
	s, err := Open(t.Context(), outside(t, "prod", url))
	require.NoError(t, err)
	defer s.Close()
	err = s.Create(t.Context(), "jobs", 0, "one", []string{"a", "b", "c"})
	require.ErrorContains(t, err, "replicas > 1 not supported in non-clustered mode")
	require.NoError(t, s.Create(t.Context(), "jobs", 0, "one", []string{"a"}))

	other, err := Open(t.Context(), outside(t, "test", url))
	require.NoError(t, err)
	defer other.Close()
	err = other.Create(t.Context(), "jobs", 0, "one", []string{"a"})
	require.ErrorContains(t, err,
		`the NATS account is used by another cluster, "prod": each needs an account of its own`)
}

// A conn that is bridged gets the answers that it would get from the server itself.
func TestBridge_IsLikeTheServer(t *testing.T) {
	t.Parallel()
	url, _ := startServer(t, server.Options{})
	nc, err := nats.Connect(url)
	require.NoError(t, err)
	defer nc.Close()
	c, err := openConn(login{net: newBridge(nc), inbox: "inbox", numbered: true, buffer: 16})
	require.NoError(t, err)
	defer c.close()

	sub, err := nc.SubscribeSync("subject")
	require.NoError(t, err)
	require.NoError(t, nc.Flush())
	_, err = c.net.Write([]byte("HPUB subject inbox.7 18 21\r\nNATS/1.0\r\nA: b\r\n\r\nxyz\r\n" +
		"PUB subject inbox.8 0\r\n\r\n"))
	require.NoError(t, err)
	m, err := sub.NextMsg(time.Minute)
	require.NoError(t, err)
	require.Equal(t, "inbox.7", m.Reply)
	require.Equal(t, nats.Header{"A": {"b"}}, m.Header)
	require.Equal(t, "xyz", string(m.Data))
	require.NoError(t, m.Respond([]byte("plain")))
	header, data, err := c.answer()
	require.NoError(t, err)
	require.Empty(t, header)
	require.Equal(t, "plain", string(data))
	require.EqualValues(t, 7, c.number)

	m, err = sub.NextMsg(time.Minute)
	require.NoError(t, err)
	require.Empty(t, m.Data)
	require.NoError(t, m.RespondMsg(&nats.Msg{Header: nats.Header{"Nats-Sequence": {"5"}}, Data: []byte("more")}))
	header, data, err = c.answer()
	require.NoError(t, err)
	require.Equal(t, "NATS/1.0\r\nNats-Sequence: 5\r\n\r\n", string(header))
	require.Equal(t, "more", string(data))
	require.EqualValues(t, 8, c.number)

	_, err = c.net.Write([]byte("PUB nowhere inbox.9 2\r\nhi\r\n"))
	require.NoError(t, err)
	header, _, err = c.answer()
	require.NoError(t, err)
	code, ok := status(header)
	require.True(t, ok)
	require.Equal(t, unserved, code)
	require.EqualValues(t, 9, c.number)

	c.close()
	require.Eventually(t, func() bool { return nc.NumSubscriptions() == 1 }, time.Minute, time.Millisecond)
}
