//go:build linux

package crash

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gospaces/gospaces/spacetest/history"
)

// server is the server process of a campaign. Only one goroutine at a time may call its methods, except address.
type server struct {
	program string
	args    []string
	within  []string // the command that runs it on a host of its own; nil: it shares this process's
	host    string   // its address without a port, for a node of a cluster
	listen  string   // the address to listen on; "": any
	data    string
	log     *os.File    // log of all its processes
	proxy   *proxy      // of the clients; nil: they connect directly
	full    func() bool // whether its disk is full: it then need not start

	run  *child       // nil: it is down
	down *history.Op  // since when; nil: it is up
	outs []history.Op // outages since they were last requested
	addr string       // its address

	counted int64 // how much of the log has been counted

	mu      sync.Mutex
	starts  int           // guarded by mu
	slowest time.Duration // guarded by mu; longest time from start to ready
}

// start starts the server, repeatedly if its disk is full, and returns when it serves.
func (s *server) start(ctx context.Context) error {
	for ctx.Err() == nil {
		began := time.Now()
		ready, err := s.launch()
		if err != nil {
			return err
		}
		wasFull := s.full()
		if s.addr, err = ready(); err == nil {
			s.up(time.Since(began))
			return nil
		}
		<-s.run.done
		if !wasFull && !s.full() {
			return fmt.Errorf("the server does not start: %w: %s", err, s.lastWords())
		}
		pause(ctx, 100*time.Millisecond)
	}
	return context.Cause(ctx)
}

func (s *server) up(took time.Duration) {
	if s.proxy != nil {
		s.proxy.to(s.addr)
	}
	if s.down != nil {
		s.down.Return = now()
		s.outs, s.down = append(s.outs, *s.down), nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.starts++
	s.slowest = max(s.slowest, took)
}

// launch starts a process. ready returns its address when it serves, or an error if it ends first.
func (s *server) launch() (ready func() (string, error), err error) {
	line := slices.Concat(s.within, []string{
		s.program, "serve", "--listen", cmp.Or(s.listen, "127.0.0.1:0"), "--data", s.data,
	}, s.args)
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Stderr = s.log
	out, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout = in
	s.run, err = launch(cmd)
	in.Close()
	if err != nil {
		return nil, errors.Join(err, out.Close())
	}
	run := s.run
	return func() (string, error) {
		defer out.Close()
		hangs := time.AfterFunc(patience, func() { _ = run.signal(syscall.SIGQUIT) }) // the log then has its stacks
		defer hangs.Stop()
		line, err := bufio.NewReader(out).ReadString('\n')
		_, addr, ready := strings.Cut(strings.TrimSpace(line), "ready at ")
		if !ready {
			return "", fmt.Errorf("it ended before it was ready: %q %w", line, err)
		}
		return addr, nil
	}, nil
}

// fall records that the server is about to go down.
func (s *server) fall() {
	if s.down == nil {
		s.down = &history.Op{Verb: history.Crash, Outcome: history.OK, Call: now()}
	}
}

// kill kills the server.
func (s *server) kill() error {
	if err := s.alive(); err != nil {
		return err
	}
	s.fall()
	return s.run.kill()
}

// stop stops the server gracefully.
func (s *server) stop() error {
	if err := s.alive(); err != nil {
		return err
	}
	s.fall()
	if err := s.run.signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-s.run.done:
	case <-time.After(patience):
		return errors.Join(errors.New("the server does not stop"), s.run.signal(syscall.SIGQUIT))
	}
	return nil
}

// alive returns an error if the server has ended on its own.
func (s *server) alive() error {
	if s.down == nil && s.run.ended() {
		return fmt.Errorf("the server has ended by itself: %w: %s", s.run.err, s.lastWords())
	}
	return nil
}

// halfStart starts a process of the server, which is down, and kills it a little later, usually before it is ready.
func (s *server) halfStart(ctx context.Context, after time.Duration) error {
	ready, err := s.launch()
	if err != nil {
		return err
	}
	go func() { _, _ = ready() }()
	pause(ctx, after)
	return s.run.kill()
}

// outages returns the outages of the server since the last call.
func (s *server) outages() []history.Op {
	outs := s.outs
	s.outs = nil
	return outs
}

// lastWords returns the end of the server's log.
func (s *server) lastWords() string {
	const most = 2000
	b, _ := os.ReadFile(s.log.Name())
	return string(b[max(0, len(b)-most):])
}

// count returns how many times each of the words has occurred in the server's log since the last call.
func (s *server) count(words ...string) (counts []int, err error) {
	f, err := os.Open(s.log.Name())
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if _, err := f.Seek(s.counted, io.SeekStart); err != nil {
		return nil, err
	}
	b, err := io.ReadAll(f)
	for _, w := range words {
		counts = append(counts, bytes.Count(b, []byte(w)))
	}
	s.counted += int64(len(b))
	return counts, err
}

// snapshots returns the snapshot files of each space, the newest last.
func (s *server) snapshots() ([][]string, error) {
	var all [][]string
	for _, name := range spaceNames {
		files, err := filepath.Glob(filepath.Join(s.data, "snapshots", name+"-0", "*.snapshot"))
		if err != nil {
			return nil, err
		}
		all = append(all, files)
	}
	return all, nil
}
