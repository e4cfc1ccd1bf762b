package spacetest

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/gospaces/gospaces/node"
)

// NextVersion is the version that nodes say they have after ClusterNode.Upgrade.
const NextVersion = "v99.0.0"

// program and nextProgram are folders that hold cmd/gospaces, built as it is and as NextVersion.
var program, nextProgram shared[string]

// Program returns the path of cmd/gospaces, built as users have it: the race detector, with which tests run, takes
// several times the memory. All tests of a package share it, see Main.
func Program(tb testing.TB) string {
	tb.Helper()
	dir, err := program.get(build)
	if err != nil {
		tb.Fatal(err)
	}
	return filepath.Join(dir, "gospaces")
}

func build() (string, error) { return buildWith() }

func buildNext() (string, error) { return buildWith("-ldflags", "-X main.version="+NextVersion) }

// buildWith builds cmd/gospaces and returns the folder that holds it.
func buildWith(flags ...string) (string, error) {
	dir, err := os.MkdirTemp("", "gospaces-test-")
	if err != nil {
		return "", err
	}
	args := append([]string{"build", "-o", dir}, flags...)
	cmd := exec.Command("go", append(args, "github.com/gospaces/gospaces/cmd/gospaces")...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", errors.Join(fmt.Errorf("build cmd/gospaces: %w: %s", err, out), os.RemoveAll(dir))
	}
	return dir, nil
}

// processServer is a server in a separate process.
type processServer struct {
	cmd    *exec.Cmd
	stderr *strings.Builder // complete when done is closed
	done   chan struct{}    // closed when the process has ended
	err    error            // how; set before done is closed
}

func startProcess(_ testing.TB, cfg ServerConfig, data string) (running, string, error) {
	args := []string{"--listen", "127.0.0.1:0", "--data", data, "--durability", cmp.Or(cfg.Durability, node.Logged)}
	for flag, n := range map[string]int64{"--mirror-log": cfg.MirrorLog, "--snapshot-bytes": cfg.SnapshotBytes} {
		if n != 0 {
			args = append(args, flag, strconv.FormatInt(n, 10))
		}
	}
	for flag, text := range map[string]string{"--postgres": cfg.Postgres, "--mirror-full": cfg.MirrorFull} {
		if text != "" {
			args = append(args, flag, text)
		}
	}
	dir, err := program.get(build)
	if err != nil {
		return nil, "", err
	}
	p, addr, err := startServe(dir, args)
	if err != nil {
		return nil, "", err
	}
	return p, addr, nil
}

// startServe starts gospaces serve from a folder with some flags, and returns it, with its address, when it serves.
func startServe(dir string, args []string) (*processServer, string, error) {
	p := &processServer{stderr: new(strings.Builder), done: make(chan struct{})}
	p.cmd = exec.Command(filepath.Join(dir, "gospaces"), append([]string{"serve"}, args...)...)
	p.cmd.Stderr = p.stderr
	p.cmd.SysProcAttr = endsWithParent()
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := p.start(); err != nil {
		return nil, "", err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	_, addr, ready := strings.Cut(strings.TrimSpace(line), "ready at ")
	if err != nil || !ready {
		p.kill()
		return nil, "", fmt.Errorf("gospaces serve: %q, %w: %s", line, err, p.stderr)
	}
	return p, addr, nil
}

// start starts the process on a thread that stays: the signal that ends a child with its parent is tied to the thread
// that started it.
func (p *processServer) start() error {
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.err = p.cmd.Wait()
			close(p.done)
		}
	}()
	return <-started
}

func (p *processServer) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	<-p.done
	if p.err != nil {
		return fmt.Errorf("gospaces serve: %w: %s", p.err, p.stderr)
	}
	return nil
}

func (p *processServer) kill() {
	_ = p.cmd.Process.Kill() // it may have ended by itself
	<-p.done
}
