package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// process is a server started for a benchmark, with its own folder.
type process struct {
	cmd  *exec.Cmd
	dir  string
	addr string
}

// readyPrefix begins the line in which a server prints its address.
const readyPrefix = "gospaces: ready at "

// stopTimeout is the time that a server may take to stop.
const stopTimeout = 30 * time.Second

// startServer starts program as a server in its half of the processors and returns when it is ready.
func startServer(ctx context.Context, h *halves, program, durability string, log io.Writer) (*process, error) {
	dir, err := os.MkdirTemp("", "gospaces-bench-")
	if err != nil {
		return nil, err
	}
	p := &process{dir: dir}
	p.cmd = exec.CommandContext(ctx, program, "serve", "--listen", "127.0.0.1:0", "--data", dir, "--durability",
		durability, "--log-level", "warn")
	p.cmd.Env = append(os.Environ(), "GOSPACES_POSTGRES=")
	p.cmd.Stderr = log
	p.cmd.SysProcAttr = tied()
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		err = h.start(p.cmd)
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	addr, ok := strings.CutPrefix(strings.TrimSpace(line), readyPrefix)
	if !ok {
		return nil, errors.Join(fmt.Errorf("the server did not start; it said %q", line), p.stop())
	}
	p.addr = addr
	return p, nil
}

// stop ends the server and removes its folder.
func (p *process) stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	hard := time.AfterFunc(stopTimeout, func() { _ = p.cmd.Process.Kill() })
	defer hard.Stop()
	return errors.Join(p.cmd.Wait(), os.RemoveAll(p.dir))
}
