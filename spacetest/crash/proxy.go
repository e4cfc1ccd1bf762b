//go:build linux

package crash

import (
	"io"
	"net"
	"sync"
)

// proxy is the fixed address of the server for clients, wherever the server runs. It cuts their connections on request.
// Its methods may be called concurrently.
type proxy struct {
	listener net.Listener

	mu    sync.Mutex
	addr  string                // of the server; guarded by mu
	conns map[net.Conn]net.Conn // from a client, and to the server; guarded by mu
}

func newProxy() (*proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{listener: l, conns: map[net.Conn]net.Conn{}}
	go p.run()
	return p, nil
}

func (p *proxy) run() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		go p.serve(c)
	}
}

func (p *proxy) serve(c net.Conn) {
	defer c.Close()
	p.mu.Lock()
	addr := p.addr
	p.mu.Unlock()
	s, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	defer s.Close()
	p.mu.Lock()
	p.conns[c] = s
	p.mu.Unlock()
	back := make(chan struct{})
	go func() {
		defer close(back)
		_, _ = io.Copy(c, s)
		c.Close()
	}()
	_, _ = io.Copy(s, c)
	s.Close()
	<-back
	p.mu.Lock()
	delete(p.conns, c)
	p.mu.Unlock()
}

// to sets the address of the server.
func (p *proxy) to(addr string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.addr = addr
}

// cut cuts all connections, or about one in every.
func (p *proxy) cut(every int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for c, s := range p.conns { // in any order
		if n++; n%every == 0 {
			c.Close()
			s.Close()
		}
	}
}

func (p *proxy) close() {
	p.listener.Close()
	p.cut(1)
}
