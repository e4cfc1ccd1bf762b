package spacetest_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/space/work"
	"github.com/gospaces/gospaces/spacetest"
)

// poisonVariable names the environment variable that makes TestPoison a worker of the server at that address.
const poisonVariable = "SPACETEST_POISON"

// poison is the job whose handler ends its process.
const poison = 20

type chored struct {
	ID       int64
	Attempts int64 // before
}

// TestPoison is the process that TestKill_PoisonBuriesNoJobBesideIt starts.
func TestPoison(t *testing.T) {
	addr := os.Getenv(poisonVariable)
	if addr == "" {
		t.Skip("it is a part of TestKill_PoisonBuriesNoJobBesideIt")
	}
	c, err := client.Dial(t.Context(), addr)
	require.NoError(t, err)
	require.NoError(t, work.Run(t.Context(), c, chore{}, func(ctx context.Context, job *work.Job[chore]) error {
		if job.Value.ID == poison {
			time.Sleep(5 * time.Millisecond) // others begin meanwhile
			os.Exit(9)
		}
		time.Sleep(20 * time.Millisecond)
		return job.Stage(ctx, chored{job.Value.ID, int64(job.Attempts)})
	}, work.Config{Workers: 16, Tries: poisonTries}))
}

const poisonTries = 4

// A job that kills its worker time after time becomes a dead letter. The jobs beside it count one attempt, for the
// first death, and are done.
func TestKill_PoisonBuriesNoJobBesideIt(t *testing.T) {
	t.Parallel()
	const jobs = 60
	s := spacetest.Server(t, spacetest.ServerConfig{Resume: 200 * time.Millisecond})
	c := s.Dial(t)
	all := make([]chore, jobs)
	for i := range all {
		all[i].ID = int64(i)
	}
	_, err := space.WriteAll(t.Context(), c, all)
	require.NoError(t, err)
	worker := func() *exec.Cmd {
		cmd := exec.Command(os.Args[0], "-test.run=^TestPoison$")
		cmd.Env = append(os.Environ(), poisonVariable+"="+s.Addr())
		require.NoError(t, cmd.Start())
		return cmd
	}
	for range poisonTries {
		exit, died := errors.AsType[*exec.ExitError](worker().Wait())
		require.True(t, died)
		require.Equal(t, 9, exit.ExitCode())
	}
	last := worker()
	defer last.Wait()
	defer last.Process.Kill()
	letter, err := space.Take(t.Context(), c, work.DeadLetter{})
	require.NoError(t, err)
	require.JSONEq(t, `{"id":20}`, letter.Fields)
	require.Equal(t, poisonTries, letter.Attempts)
	for range jobs - 1 {
		done, err := space.Take(t.Context(), c, chored{}, space.Wait(time.Minute))
		require.NoError(t, err)
		require.LessOrEqual(t, done.Attempts, int64(1), "job %d", done.ID)
	}
}
