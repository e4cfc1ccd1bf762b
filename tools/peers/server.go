package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// startLimit and stopLimit bound the time that a server may take to start and to stop.
const (
	startLimit = 30 * time.Second
	stopLimit  = 10 * time.Second
)

// server is the process of a peer, with a temporary folder and a port of its own.
type server struct {
	program string
	dir     string // the process may write here
	addr    string // host:port
	port    string
	synced  bool // each call is on the disk before it is answered; otherwise it survives the end of the process

	credential *syscall.Credential // user to run as; nil: the current one
	quit       os.Signal           // ends the process
	cmd        *exec.Cmd
	ended      chan struct{}
}

// find returns the path of a program: beside this one, in PATH, or where Debian hides those of PostgreSQL.
func find(program string) (string, bool) {
	if self, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(self), program)
		if path, err := exec.LookPath(beside); err == nil {
			return path, true
		}
	}
	if path, err := exec.LookPath(program); err == nil {
		return path, true
	}
	hidden, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + program) // fails only for a bad pattern
	if len(hidden) > 0 {
		return hidden[len(hidden)-1], true
	}
	return "", false
}

// newServer prepares a server, on a port that is free now.
func newServer(program string, synced bool) (*server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer l.Close()
	dir, err := os.MkdirTemp("", "gospaces-peers-")
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	s := &server{program: program, dir: dir, addr: l.Addr().String(), port: port, synced: synced, quit: syscall.SIGTERM}
	return s, err
}

// run starts the process and returns when it accepts connections.
func (s *server) run(ctx context.Context, args ...string) error {
	log, err := os.Create(s.logFile())
	if err != nil {
		return err
	}
	defer log.Close() // the process has its own descriptor
	s.cmd = exec.Command(s.program, args...)
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = s.dir, log, log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.credential, Setpgid: true} // Ctrl-C is ours, not theirs
	if err := s.cmd.Start(); err != nil {
		s.cmd = nil
		return err
	}
	s.ended = make(chan struct{})
	go func() {
		_ = s.cmd.Wait() // what matters is in its log
		close(s.ended)
	}()
	return s.retry(ctx, func() error {
		conn, err := net.Dial("tcp", s.addr)
		if err == nil {
			conn.Close()
		}
		return err
	})
}

func (s *server) logFile() string { return filepath.Join(s.dir, "server.log") }

// retry calls f until it succeeds: servers accept connections before they serve.
func (s *server) retry(ctx context.Context, f func() error) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		err := f()
		if err == nil {
			return nil
		}
		select {
		case <-s.ended:
			return s.failed(errors.New("it ended"))
		case <-ctx.Done():
			return s.failed(err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// failed returns an error that contains what the server has logged.
func (s *server) failed(err error) error {
	log, _ := os.ReadFile(s.logFile())
	return fmt.Errorf("%s did not start: %w\n%s", filepath.Base(s.program), err, log)
}

// stop ends the process and removes its folder.
func (s *server) stop() error {
	if s.cmd != nil {
		_ = s.cmd.Process.Signal(s.quit) // it may have ended
		hard := time.AfterFunc(stopLimit, func() { _ = s.cmd.Process.Kill() })
		<-s.ended
		hard.Stop()
	}
	return os.RemoveAll(s.dir)
}

// either returns synced or logged, whichever the server is to be.
func (s *server) either(synced, logged string) string {
	if s.synced {
		return synced
	}
	return logged
}
