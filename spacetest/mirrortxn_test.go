package spacetest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
)

// checking and saving are accounts, in a table each.
type checking struct {
	Owner  string
	Amount int
}

type saving struct {
	Owner  string
	Amount int
}

const (
	owners  = 3
	balance = 1000
)

// TestMirror_Transactions reads the tables again and again while transfers between accounts are committed, and the
// server is killed: every snapshot of the database shows all accounts, and the same sum.
func TestMirror_Transactions(t *testing.T) {
	t.Parallel()
	dsn := Postgres(t)
	s := Server(t, ServerConfig{Process: true, Postgres: dsn})
	k := &kit{T: t, ctx: t.Context(), sp: s.Dial(t)}
	open := begin(k)
	for i := range owners {
		write(k, checking{fmt.Sprint(i), balance}, space.In(open))
		write(k, saving{fmt.Sprint(i), balance}, space.In(open))
	}
	commit(k, open)
	db, err := sql.Open("postgres", dsn)
	require.NoError(t, err)
	defer db.Close()

	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for m := range 3 {
		rng := rand.New(rand.NewPCG(3, uint64(m)))
		wg.Go(func() {
			for ctx.Err() == nil {
				_ = pay(t.Context(), k.sp, rng) // those that the server does not survive are in doubt, or undone
			}
		})
	}
	for range 3 {
		look(t, db, 50)
		s.Kill()
		s.Start()
	}
	look(t, db, 50)
	stop()
	wg.Wait()
	s.Stop()
	rows, sum := snapshot(t, db)
	require.Equal(t, []int{2 * owners, 2 * owners * balance}, []int{rows, sum})
}

// look takes snapshots once the accounts are in the tables.
func look(t *testing.T, db *sql.DB, times int) {
	t.Helper()
	for seen := 0; seen < times; {
		rows, sum := snapshot(t, db)
		if rows == 0 && seen == 0 {
			continue // not even the kinds have arrived
		}
		require.Equal(t, []int{2 * owners, 2 * owners * balance}, []int{rows, sum})
		seen++
	}
}

// snapshot counts the accounts and adds up what is on them, both as one snapshot of the database shows them. Without
// tables there are none.
func snapshot(t *testing.T, db *sql.DB) (rows, sum int) {
	t.Helper()
	var tables int
	require.NoError(t, db.QueryRowContext(t.Context(),
		`SELECT count(*) FROM information_schema.columns WHERE table_schema = 'space_default' AND table_name IN ('checking', 'saving') AND column_name = 'amount'`).Scan(&tables))
	if tables < 2 {
		return 0, 0
	}
	tx, err := db.BeginTx(t.Context(), &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	require.NoError(t, err)
	for _, table := range []string{"checking", "saving"} {
		var n, amount int
		row := tx.QueryRowContext(t.Context(), `SELECT count(*), coalesce(sum(amount), 0) FROM space_default.`+table)
		require.NoError(t, row.Scan(&n, &amount))
		rows, sum = rows+n, sum+amount
	}
	require.NoError(t, tx.Commit())

	var n, amount int // the same in a single statement, of a later snapshot
	require.NoError(t, db.QueryRowContext(t.Context(), `SELECT count(*), coalesce(sum(amount), 0) FROM
		(SELECT amount FROM space_default.checking UNION ALL SELECT amount FROM space_default.saving) AS accounts`).Scan(&n, &amount))
	if rows > 0 {
		require.Equal(t, []int{rows, sum}, []int{n, amount})
	}
	return rows, sum
}

// pay moves some money between the accounts of an owner: by new entries, or in the place of the old ones.
func pay(ctx context.Context, sp space.Space, rng *rand.Rand) error {
	owner, amount := fmt.Sprint(rng.IntN(owners)), rng.IntN(50)
	t, err := space.Begin(ctx, sp)
	if err != nil {
		return err
	}
	defer t.Abort(context.WithoutCancel(ctx)) // which fails after the commit
	if rng.IntN(2) == 0 {
		err = payInPlace(ctx, sp, t, owner, amount)
	} else {
		err = payAnew(ctx, sp, t, owner, amount)
	}
	if err != nil {
		return err
	}
	return t.Commit(ctx)
}

func payInPlace(ctx context.Context, sp space.Space, t *space.Txn, owner string, amount int) error {
	_, err := space.Add(ctx, sp, checking{Owner: owner}, "amount", int64(-amount), space.In(t))
	if err == nil {
		_, err = space.Add(ctx, sp, saving{Owner: owner}, "amount", int64(amount), space.In(t))
	}
	return err
}

func payAnew(ctx context.Context, sp space.Space, t *space.Txn, owner string, amount int) error {
	from, err := space.Take(ctx, sp, checking{Owner: owner}, space.In(t))
	if err != nil {
		return err
	}
	to, err := space.Take(ctx, sp, saving{Owner: owner}, space.In(t))
	if err != nil {
		return err
	}
	from.Amount, to.Amount = from.Amount-amount, to.Amount+amount
	return errors.Join(space.Stage(ctx, t, from), space.Stage(ctx, t, to))
}
