package main

import (
	"context"
	"os"
	"os/exec"
	"testing"

	"github.com/gospaces/gospaces/spacetest"
)

// asProgram makes the test program be gospaces, with the rest of its command line: for tests that need a process.
const asProgram = "RUN_AS_GOSPACES"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	spacetest.Main(m)
}

// process returns gospaces as a process of its own, not yet started. It is killed when ctx ends.
func process(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	return cmd
}
