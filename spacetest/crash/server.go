//go:build linux

package crash

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
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
	data    string
	log     *os.File // log of all its processes
	proxy   *proxy
	full    func() bool // whether its disk is full: it then need not start

	run  *child       // nil: it is down
	down *history.Op  // since when; nil: it is up
	outs []history.Op // outages since they were last requested
	addr string       // its address

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
	s.proxy.to(s.addr)
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
	cmd := exec.Command(s.program, append([]string{"serve", "--listen", "127.0.0.1:0", "--data", s.data}, s.args...)...)
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

// count returns how many times each of the words occurs in the log from an offset on, and the offset of its end.
func (s *server) count(from int64, words ...string) (counts []int, to int64, err error) {
	f, err := os.Open(s.log.Name())
	if err != nil {
		return nil, from, err
	}
	defer f.Close()
	if _, err := f.Seek(from, io.SeekStart); err != nil {
		return nil, from, err
	}
	b, err := io.ReadAll(f)
	for _, w := range words {
		counts = append(counts, bytes.Count(b, []byte(w)))
	}
	return counts, from + int64(len(b)), err
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
