package spacetest_test

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/node"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/spacetest"
)

// natsServers are the servers of a NATS cluster.
type natsServers struct {
	t       *testing.T
	options []*server.Options
	running []*server.Server
}

// startNATS starts a NATS cluster of three servers, which ends with the test.
func startNATS(t *testing.T) *natsServers {
	s := &natsServers{t: t, running: make([]*server.Server, 3)}
	network := fmt.Sprintf("127.%d.%d", 1+rand.IntN(254), rand.IntN(256))
	var routes []*url.URL
	for i := range s.running {
		routes = append(routes, &url.URL{Scheme: "nats-route", Host: fmt.Sprintf("%s.%d:6222", network, i+1)})
	}
	for i := range s.running {
		host := fmt.Sprintf("%s.%d", network, i+1)
		s.options = append(s.options, &server.Options{
			ServerName: fmt.Sprint("nats-", i), Host: host, Port: 4222, NoSigs: true, NoLog: true, MaxPayload: 17 << 20,
			Username: "spaces", Password: "secret",
			JetStream: true, StoreDir: filepath.Join(t.TempDir(), fmt.Sprint(i)),
			Cluster: server.ClusterOpts{Name: "elsewhere", Host: host, Port: 6222}, Routes: routes,
		})
		s.start(i)
	}
	t.Cleanup(func() {
		for i := range s.running {
			s.kill(i)
		}
	})
	return s
}

func (s *natsServers) start(i int) {
	srv, err := server.NewServer(s.options[i].Clone())
	require.NoError(s.t, err)
	srv.Start()
	s.running[i] = srv
}

func (s *natsServers) kill(i int) {
	s.running[i].Shutdown()
	s.running[i].WaitForShutdown()
}

// url returns the addresses of the servers, with a user.
func (s *natsServers) url() (all string) {
	for _, o := range s.options {
		all += fmt.Sprintf(",nats://%s:%s@%s:%d", o.Username, o.Password, o.Host, o.Port)
	}
	return all[1:]
}

// leader returns the server that leads a log.
func (s *natsServers) leader() int {
	for {
		all, err := s.running[0].Jsz(&server.JSzOptions{Accounts: true, Streams: true})
		require.NoError(s.t, err)
		for _, account := range all.AccountDetails {
			for _, stream := range account.Streams {
				for i, o := range s.options {
					if stream.Cluster != nil && stream.Cluster.Leader == o.ServerName {
						return i
					}
				}
			}
		}
	}
}

// A cluster whose logs an existing NATS cluster keeps goes on when one of its nodes fails, and when the NATS
// server does that leads a log: what was written is there, each once.
func TestNATS_KeepsTheLogsOfACluster(t *testing.T) {
	t.Parallel()
	servers := startNATS(t)
	c := spacetest.StartCluster(t, spacetest.ClusterConfig{NATS: &node.NATS{URL: servers.url()}})
	ctx, sp := t.Context(), c.Dial(t, "default")
	written := 0
	write := func(n int) {
		for range n {
			written++
			_, err := space.Write(ctx, sp, step{written})
			require.NoError(t, err)
		}
	}
	write(100)
	require.NoError(t, sp.CreateSpace(ctx, "jobs"))

	primary := c.Node(c.Primary("default"))
	primary.Kill()
	write(100)
	require.Eventually(t, func() bool { return c.Primary("default") != primary.Name }, time.Minute, 10*time.Millisecond)
	primary.Start()

	leader := servers.leader()
	servers.kill(leader)
	write(100)
	servers.start(leader)
	write(20)
	for n := range written {
		got, err := space.Take(ctx, sp, step{}, space.NoWait())
		require.NoError(t, err)
		require.Equal(t, n+1, got.Number)
	}
	left, err := space.Count(ctx, sp, step{})
	require.NoError(t, err)
	require.Zero(t, left)
}
