package client_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/server"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/txn"
)

// unserved are the errors of partitions that are not served here, or not yet.
var unserved = map[string]error{
	"not yet":   call.ErrNotReady,
	"elsewhere": &call.ElsewhereError{At: txn.Address{Space: "late"}, Node: "127.0.0.1:1", Epoch: call.Epoch{Claim: 7}},
}

// refusing returns a node that does not serve a space for a reason, and tells on tried each time when it was asked to.
func refusing(t *testing.T, name string, why error) (n *node, tried chan struct{}) {
	n = newNode(t, server.Config{})
	tried = make(chan struct{}, 1)
	n.spaces.refuse = func(at txn.Address) error {
		if at.Space != name {
			return nil
		}
		select {
		case tried <- struct{}{}:
		default:
		}
		return why
	}
	n.start()
	return n, tried
}

// A call on a partition that is not served waits until it is. Other spaces of the same session do not notice.
func TestUnready_CallsWaitUntilThePartitionIsServed(t *testing.T) {
	t.Parallel()
	for name, why := range unserved {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, tried := refusing(t, "late", why)
			c := n.dial(client.Config{})
			late := c.SpaceNamed("late")
			written := make(chan error, 1)
			go func() {
				_, err := space.Write(t.Context(), late, job{ID: 1})
				written <- err
			}()
			for range 3 {
				<-tried // again and again
			}
			_, err := space.Write(t.Context(), c, job{ID: 2})
			require.NoError(t, err)
			require.Empty(t, written)
			n.spaces.mu.Lock()
			n.spaces.refuse = nil
			n.spaces.mu.Unlock()
			require.NoError(t, <-written)
			got, err := space.Take(t.Context(), late, job{})
			require.NoError(t, err)
			require.Equal(t, job{ID: 1}, got)
		})
	}
}

// A call that does not wait, or not for long, ends after a while, as it does without a connection; others with their
// contexts.
func TestUnready_CallsEnd(t *testing.T) {
	t.Parallel()
	for name, why := range unserved {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, tried := refusing(t, "late", why)
			late := n.dial(client.Config{Grace: time.Millisecond}).SpaceNamed("late")
			for name, opt := range map[string]space.WaitOption{
				"no wait": space.NoWait(), "a wait": space.Wait(time.Millisecond),
			} {
				_, err := space.Read(t.Context(), late, job{}, opt)
				require.ErrorIs(t, err, space.ErrUnavailable, name)
				require.Equal(t, why.Error(), err.Error(), name)
			}
			ctx, cancel := context.WithCancel(t.Context())
			written := make(chan error, 1)
			go func() {
				_, err := space.Write(ctx, late, job{ID: 1})
				written <- err
			}()
			for range 5 {
				<-tried
			}
			cancel()
			err := <-written
			require.ErrorIs(t, err, context.Canceled)
		})
	}
}
