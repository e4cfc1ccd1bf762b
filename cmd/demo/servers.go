package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// server is a server, or one node of a cluster.
type server struct {
	*process
	name string // of the node
	addr string // known once it is ready
	line firstLine
}

// servers are one server that is alone, or the nodes of a cluster.
type servers []*server

// serve starts the servers and returns them once they are ready.
func (d *demo) serve(dsn string) (servers, error) {
	if d.single {
		s, err := d.startServer(dsn, "", "--listen", "127.0.0.1:0", "--data", filepath.Join(d.dir, "data"))
		if err != nil {
			return nil, err
		}
		return servers{s}, d.awaitReady(s)
	}
	var all servers
	names, nodes, clients := []string{"a", "b", "c"}, addresses(3, 6222), addresses(3, 7420)
	var peers []string
	for i, name := range names {
		peers = append(peers, name+"="+nodes[i])
	}
	for i, name := range names {
		s, err := d.startServer(dsn, name, "--cluster", "demo", "--node", name, "--peers", strings.Join(peers, ","),
			"--listen", clients[i], "--data", filepath.Join(d.dir, name))
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	for _, s := range all {
		if err := d.awaitReady(s); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// startServer starts a server. It is ready when awaitReady has returned.
func (d *demo) startServer(dsn, name string, args ...string) (*server, error) {
	args = append([]string{"serve", "--log-level", "error"}, args...)
	say("gospaces " + strings.Join(args, " "))
	s := &server{name: name, line: newFirstLine()}
	env := []string{"GOSPACES_POSTGRES=" + dsn} // not a flag, since every user of the machine can see command lines
	var err error
	s.process, err = d.family.start(s.line, env, filepath.Join(d.dir, "gospaces"), args...)
	return s, err
}

// awaitReady waits until a server is ready, and then knows its address.
func (d *demo) awaitReady(s *server) error {
	select {
	case line := <-s.line:
		fmt.Print(line)
		var ok bool
		if s.addr, ok = strings.CutPrefix(strings.TrimSpace(line), "gospaces: ready at "); !ok {
			return fmt.Errorf("the server says %q", line)
		}
		return nil
	case <-s.done:
		return errors.Join(errors.New("the server ended before it was ready"), context.Cause(d.family.ctx))
	}
}

// addrs returns the addresses of all servers, as clients take them.
func (s servers) addrs() string {
	var all []string
	for _, server := range s {
		all = append(all, server.addr)
	}
	return strings.Join(all, ",")
}

// named returns the node of a name, or nil.
func (s servers) named(name string) *server {
	for _, server := range s {
		if server.name == name {
			return server
		}
	}
	return nil
}

// stop stops the servers that run, all at the same time.
func (s servers) stop() error {
	errs := make([]error, len(s))
	var stopping sync.WaitGroup
	for i, server := range s {
		stopping.Go(func() { errs[i] = server.stop() })
	}
	stopping.Wait()
	return errors.Join(errs...)
}

// show prints what a cluster says of itself.
func (d *demo) show(s servers) {
	args := []string{"--addr", s.addrs(), "cluster", "status", "--json=false"}
	say("gospaces " + strings.Join(args, " "))
	cmd := exec.CommandContext(d.family.ctx, filepath.Join(d.dir, "gospaces"), args...)
	cmd.Stdout = os.Stdout
	_ = cmd.Run() // it fails when something is wrong with the cluster, and says what
}
