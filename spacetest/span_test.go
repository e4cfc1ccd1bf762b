package spacetest_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/spacetest"
)

type (
	purse   struct{ Number, Amount int }
	voucher struct{ Transfer string } // in both spaces of a transfer
)

var houses = []string{"alpha", "beta", "gamma"} // the spaces

const (
	endowment = 1000 // of a purse
	pursesIn  = 10   // each space, numbered from 1
)

// TestSpan_KilledServer moves money between the purses in three spaces, while the server is killed again and again. In
// the end every transfer is in both of its spaces or in neither, in the spaces as in the database, and those that were
// acknowledged are there.
func TestSpan_KilledServer(t *testing.T) {
	t.Parallel()
	const workers, kills = 8, 6
	dsn := spacetest.Postgres(t)
	s := spacetest.Server(t, spacetest.ServerConfig{Process: true, Postgres: dsn})
	bank := newBank(t, s.Dial(t))

	var all sync.WaitGroup
	stop := make(chan struct{})
	begun := make(chan struct{}, 1024)
	for w := range workers {
		client := s.Dial(t)
		all.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				case begun <- struct{}{}:
				}
				bank.transfer(t, client, fmt.Sprintf("%d-%d", w, i))
			}
		})
	}
	for range kills {
		for range 100 + rand.N(100) {
			<-begun
		}
		time.Sleep(rand.N(5 * time.Millisecond)) // anywhere in a transfer
		s.Kill()
		s.Start()
	}
	close(stop)
	all.Wait()

	done := bank.check(t)
	t.Logf("%d transfers, %d of them acknowledged", len(done), len(bank.acknowledged))
	require.NotEmpty(t, done)
	s.Stop()
	bank.checkTables(t, dsn)
}

// bank knows what the spaces should hold.
type bank struct {
	client *spacetest.Client

	mu           sync.Mutex
	acknowledged []string       // guarded by mu
	holds        map[string]int // what the purses of each space have, after check
	vouchers     map[string]int // how many vouchers are in each space, after check
}

func newBank(t *testing.T, c *spacetest.Client) *bank {
	for _, name := range houses {
		for number := range pursesIn {
			_, err := space.Write(t.Context(), c.SpaceNamed(name), purse{number + 1, endowment})
			require.NoError(t, err)
		}
		_, err := space.Count(t.Context(), c.SpaceNamed(name), voucher{})
		require.NoError(t, err)
	}
	return &bank{client: c, holds: map[string]int{}, vouchers: map[string]int{}}
}

// transfer tries to make one transfer.
func (b *bank) transfer(t *testing.T, c *spacetest.Client, id string) {
	i := rand.N(len(houses))
	from, to := houses[i], houses[(i+1+rand.N(len(houses)-1))%len(houses)]
	err := moveMoney(t.Context(), c, from, to, id)
	switch {
	case err == nil:
		b.mu.Lock()
		defer b.mu.Unlock()
		b.acknowledged = append(b.acknowledged, id)
	case errors.Is(err, space.ErrTxnEnded), errors.Is(err, space.ErrDeadlock), errors.Is(err, space.ErrOutcomeUnknown),
		errors.Is(err, space.ErrUnavailable), errors.Is(err, space.ErrNoMatch):
	default:
		t.Errorf("transfer %s: %v", id, err)
	}
}

// moveMoney makes a transfer whose transaction is at home where the money comes from.
func moveMoney(ctx context.Context, c *spacetest.Client, from, to, id string) error {
	tx, err := space.Begin(ctx, c.SpaceNamed(from), space.For(500*time.Millisecond))
	if err != nil {
		return err
	}
	defer func() { _ = tx.Abort(ctx) }() // it may have ended
	for i, name := range []string{from, to} {
		p, err := space.Take(ctx, c.SpaceNamed(name), purse{Number: 1 + rand.N(pursesIn)}, space.In(tx),
			space.Wait(100*time.Millisecond))
		if err != nil {
			return err
		}
		p.Amount += 2*i - 1
		if _, err := space.Write(ctx, c.SpaceNamed(name), p, space.In(tx)); err != nil {
			return err
		}
		if i == 1 {
			if _, err = space.Write(ctx, c.SpaceNamed(name), voucher{id}, space.In(tx)); err != nil {
				return err
			}
		}
	}
	if err := space.Stage(ctx, tx, voucher{id}); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

// check waits until nothing is locked any more, and returns the transfers that have happened.
func (b *bank) check(t *testing.T) map[string]int {
	sum := 0
	seen := map[string]int{}
	for _, name := range houses {
		sp := b.client.SpaceNamed(name)
		for number := range pursesIn {
			p, err := space.Read(t.Context(), sp, purse{Number: number + 1})
			require.NoError(t, err)
			b.holds[name] += p.Amount
		}
		sum += b.holds[name]
		for r, err := range space.Contents(t.Context(), sp, voucher{}) {
			require.NoError(t, err)
			seen[r.Transfer]++
			b.vouchers[name]++
		}
	}
	require.Equal(t, endowment*pursesIn*len(houses), sum)
	for id, n := range seen {
		require.Equal(t, 2, n, "vouchers of transfer %s", id)
	}
	for _, id := range b.acknowledged {
		require.Contains(t, seen, id, "it was acknowledged")
	}
	return seen
}

// checkTables checks that the database holds what the spaces held.
func (b *bank) checkTables(t *testing.T, dsn string) {
	db, err := sql.Open("postgres", dsn)
	require.NoError(t, err)
	defer db.Close()
	for _, name := range houses {
		var amount, count int
		require.NoError(t, db.QueryRowContext(t.Context(), `SELECT sum(amount) FROM space_`+name+`.purse`).Scan(&amount))
		require.Equal(t, b.holds[name], amount, name)
		require.NoError(t, db.QueryRowContext(t.Context(), `SELECT count(*) FROM space_`+name+`.voucher`).Scan(&count))
		require.Equal(t, b.vouchers[name], count, name)
	}
}
